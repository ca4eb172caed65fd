/** Whether this machine can have labs at all. */
import { run } from './command.ts';
import { missingPackages } from './packages.ts';

// All that a lab is built of, tried once in the smallest way; nothing of it is left.
const TRIAL = `
mount -t proc proc /proc
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
ip link add switch type bridge
ip link add port type veth peer name eth0
ip link set port master switch
unshare --net --mount --pid --uts --ipc --fork true
`;

/** Why no lab can run here, for people; empty when one can. */
export async function reasonToSkipLab(): Promise<string> {
  if (process.getuid?.() !== 0) return 'needs root: the lab is made of namespaces and mounts';
  const missing = await missingPackages();
  if (missing.length > 0) return `needs packages: apt-get install ${missing.join(' ')}`;
  const namespaces = ['--net', '--mount', '--pid', '--uts', '--fork', '--kill-child=SIGKILL'];
  const { exitCode, stderr } = await run(['unshare', ...namespaces, 'sh', '-euc', TRIAL], {
    reject: false,
  }).catch((error: unknown) => ({ exitCode: -1, stderr: String(error) }));
  return exitCode === 0 ? '' : `needs namespaces, overlays and bridges: ${stderr.trim()}`;
}
