/**
 * Settings of gRPC channels that both sides must agree on. Addresses, tokens and certificates are the caller's.
 */
import type { ChannelOptions } from '@grpc/grpc-js';

/**
 * 16 MiB. The default of 4 MiB would refuse a `GetCluster` of a few hundred nodes, each with its own view (some
 * 200 bytes a node and view); without any limit one bad peer could fill our memory.
 */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/**
 * A peer that was unplugged sends no FIN: only pings tell it from a silent one. 10 s + 5 s is well under the time
 * after which the controller calls a host lost, and two pings a minute would cost no less than six.
 */
const KEEPALIVE_TIME_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;

/** For `new grpc.Server(…)` and for the `channelOptions` of Nest's gRPC transport. */
export function serverChannelOptions(): ChannelOptions {
  return {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  };
}

export function clientChannelOptions(): ChannelOptions {
  return {
    ...serverChannelOptions(),
    // The agent backs off with jitter of its own; grpc-js' 120 s on top would keep a returned controller waiting.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
    // An http_proxy in the environment is for the web: through it the token would leave the hosts in clear text.
    'grpc.enable_http_proxy': 0,
    // Nobody publishes a service config for a controller; the TXT lookup would only cost time and fail.
    'grpc.service_config_disable_resolution': 1,
  };
}
