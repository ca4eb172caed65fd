"""An outside client that never rests: writes to all slots of a Redis Cluster, remembers every write
that was acknowledged, and tells afterwards which of them are gone.

The key space is cut into lanes of neighbouring slots, each with a thread and a redis-py
`RedisCluster` of its own, so that slots that cannot be written show as a gap in their lane while
the other lanes go on. Every write has a key of its own: no later write hides a lost one. After an
error the topology is read anew and the same write is tried again; the library's own retries are
left out, since they would rest for seconds on a dead node and measure themselves.

Options are JSON in the first argument, see `DEFAULTS`; the password is in LIVE_CLIENT_PASSWORD.
Commands come as lines of JSON on standard input, answers go as lines to standard output:
  {"id": 1, "do": "report"}                 what has happened so far
  {"id": 2, "do": "gap", "sinceMs": ...}    the longest gap of any lane since then
  {"id": 3, "do": "stop"}                   stops writing, reads all back, answers, ends
Ends by itself when standard input ends or after maxDurationMs. Times are Unix times in ms.
"""
import json
import logging
import os
import queue
import random
import sys
import threading
import time

from redis.cluster import ClusterNode, RedisCluster
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, MovedError, RedisClusterException, RedisError

DEFAULTS = {
    "nodes": [],  # ["10.77.0.11:6379", ...]
    "prefix": "live",
    "lanes": 8,
    "ratePerSecond": 240,  # of all lanes together
    "waitReplicas": 0,  # WAIT for so many replicas before a write counts as acknowledged
    "gapMs": 300,  # a pause between two acknowledged writes of a lane from which it is listed
    "maxDurationMs": 600_000,
    "timeoutMs": 500,  # of connecting, and of an answer
}
# The library's word for a cluster of which no node answers is not one of its RedisErrors.
FAILURES = (RedisError, RedisClusterException, OSError)
# How long a lane rests before it tries a failed write again.
RETRY_REST_S = 0.02
# For reading everything back, also from a cluster that is just recovering.
READ_BACK_S = 60
READ_EVERY = 10
WAIT_TIMEOUT_MS = 200
LISTED_LOSSES = 100


def now_ms():
    return time.time() * 1000


class Lane(threading.Thread):
    def __init__(self, index, options, stopping):
        super().__init__(daemon=True)
        self.index, self.options, self.stopping = index, options, stopping
        self.tags = hash_tags(index, options["lanes"])
        self.client = None
        self.count = 0
        self.acknowledged = {}
        self.errors = {}
        self.reads = 0
        self.read_misses = []
        self.began_ms = self.last_ms = now_ms()
        self.gaps = []
        self.ended_ms = None

    def run(self):
        pause = self.options["lanes"] / self.options["ratePerSecond"]
        due = time.monotonic() + pause * self.index / self.options["lanes"]
        while not self.stopping.wait(max(0.0, due - time.monotonic())):
            # What was missed while nothing could be written is not caught up with.
            due = max(due + pause, time.monotonic())
            self.write_one()
            if self.count % READ_EVERY == 0:
                self.read_one()
        self.ended_ms = now_ms()

    def write_one(self):
        self.count += 1
        tag = self.tags[self.count % len(self.tags)]
        key = f"{self.options['prefix']}:{{{tag}}}:{self.index}:{self.count}"
        value = f"{self.index}-{self.count}"
        while not self.stopping.is_set():
            if self.attempt(lambda: self.set(key, value), lambda: self.set_by_library(key, value)):
                self.acknowledge(key, value)
                return
            self.stopping.wait(RETRY_REST_S)

    def set(self, key, value):
        replicas = self.options["waitReplicas"]
        commands = [("SET", key, value)]
        if replicas > 0:
            commands.append(("WAIT", replicas, WAIT_TIMEOUT_MS))
        answers = self.on_node(key, commands)
        if replicas > 0 and answers[1] < replicas:
            raise TooFewReplicas(f"{answers[1]} of {replicas}")

    def set_by_library(self, key, value):
        """Of a slot that is on its way to another node; the library knows how to ask there."""
        self.client.set(key, value)
        if self.options["waitReplicas"] > 0:
            raise TooFewReplicas("cannot wait on a slot that moves")

    def read_one(self):
        key = random.choice(list(self.acknowledged)) if self.acknowledged else None
        found = []
        if key and self.get(key, found):
            self.reads += 1
            if found[0] != self.acknowledged[key]:
                self.read_misses.append({"key": key, "found": found[0], "atMs": now_ms()})

    def get(self, key, found):
        """Whether the key could be read; its value is appended to what was found."""
        return self.attempt(
            lambda: found.append(self.on_node(key, [("GET", key)])[0]),
            lambda: found.append(self.client.get(key)),
        )

    def on_node(self, key, commands):
        """On one connection to the slot's master, as the client knows it; WAIT needs the same one."""
        node = self.client.nodes_manager.get_node_from_slot(key_slot(key.encode()))
        pipe = self.client.get_redis_connection(node).pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        return pipe.execute()

    def attempt(self, action, ask):
        """Whether it worked; after an error the client's view of the cluster is renewed."""
        try:
            if self.client is None:
                self.client = connect(self.options)
            for _ in range(3):
                try:
                    action()
                    return True
                except MovedError as error:
                    self.client.nodes_manager.update_moved_exception(error)
                except AskError:
                    ask()
                    return True
            return False
        except (*FAILURES, TooFewReplicas) as error:
            self.note(error)
            if not isinstance(error, TooFewReplicas):
                self.renew()
            return False

    def renew(self):
        try:
            if self.client is not None:
                self.client.nodes_manager.initialize()
        except FAILURES as error:
            self.note(error)
            self.client = None

    def note(self, error):
        kind = type(error).__name__
        entry = self.errors.setdefault(kind, {"count": 0, "firstMs": now_ms(), "lastMs": 0})
        entry["count"] += 1
        entry["lastMs"] = now_ms()
        entry["last"] = str(error)[:200]

    def acknowledge(self, key, value):
        at = now_ms()
        if at - self.last_ms >= self.options["gapMs"]:
            self.gaps.append({"lane": self.index, "fromMs": self.last_ms, "toMs": at})
        self.last_ms = at
        self.acknowledged[key] = value

    def all_gaps(self):
        """The one that still lasts included."""
        until = self.ended_ms or now_ms()
        lasting = {"lane": self.index, "fromMs": self.last_ms, "toMs": until}
        late = until - self.last_ms >= self.options["gapMs"]
        return list(self.gaps) + ([lasting] if late else [])


class TooFewReplicas(Exception):
    pass


def hash_tags(lane, lanes):
    """Some sixteen tags with slots spread evenly over the lane's part of the key space."""
    size = REDIS_CLUSTER_HASH_SLOTS // lanes
    step = max(1, size // 16)
    wanted = {lane * size + offset for offset in range(0, size, step)}
    tags, number = [], 0
    while wanted:
        slot = key_slot(str(number).encode())
        if slot in wanted:
            wanted.discard(slot)
            tags.append(str(number))
        number += 1
    return tags


def connect(options):
    nodes = [each.rsplit(":", 1) for each in options["nodes"]]
    random.shuffle(nodes)
    timeout = options["timeoutMs"] / 1000
    return RedisCluster(
        startup_nodes=[ClusterNode(host, int(port)) for host, port in nodes],
        password=os.environ.get("LIVE_CLIENT_PASSWORD"),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        decode_responses=True,
    )


def longest(gaps):
    return max((gap["toMs"] - gap["fromMs"] for gap in gaps), default=0)


def report(lanes):
    gaps = sorted((gap for lane in lanes for gap in lane.all_gaps()), key=lambda g: g["fromMs"])
    errors = {}
    for lane in lanes:
        for kind, entry in list(lane.errors.items()):
            total = errors.setdefault(kind, {**entry, "count": 0})
            total["count"] += entry["count"]
            total["firstMs"] = min(total["firstMs"], entry["firstMs"])
            if entry["lastMs"] >= total["lastMs"]:
                total.update(lastMs=entry["lastMs"], last=entry.get("last", ""))
    return {
        "acknowledged": sum(len(lane.acknowledged) for lane in lanes),
        "lanesWritten": sum(1 for lane in lanes if lane.acknowledged),
        "reads": sum(lane.reads for lane in lanes),
        "readMisses": [miss for lane in lanes for miss in list(lane.read_misses)],
        "quietSinceMs": min(lane.last_ms for lane in lanes),
        "errors": errors,
        "longestGapMs": longest(gaps),
        "gaps": gaps,
    }


def gap_since(lanes, since_ms):
    """The longest pause of a lane after a moment, its part before the moment left out."""
    found = {"gapMs": 0, "lasts": False}
    for lane in lanes:
        until = lane.ended_ms or now_ms()
        lasting = {"fromMs": lane.last_ms, "toMs": until, "lasts": True}
        for gap in [*list(lane.gaps), lasting]:
            gap_ms = gap["toMs"] - max(gap["fromMs"], since_ms)
            if gap_ms > found["gapMs"]:
                late = until - lane.last_ms >= lane.options["gapMs"]
                found = {"gapMs": gap_ms, "lasts": gap.get("lasts", False) and late}
    return found


def read_back(lanes):
    """Every acknowledged write that is not there any more; `unread`: nobody could say."""
    lost, unread = [], 0
    deadline = time.monotonic() + READ_BACK_S
    for lane in lanes:
        for key, value in lane.acknowledged.items():
            found = []
            while not lane.get(key, found):
                if time.monotonic() > deadline:
                    break
                time.sleep(RETRY_REST_S)
            if not found:
                unread += 1
            elif found[0] != value:
                lost.append({"key": key, "expected": value, "found": found[0]})
    return {"lostCount": len(lost), "lost": lost[:LISTED_LOSSES], "unread": unread}


def read_commands(commands):
    for line in sys.stdin:
        commands.put(json.loads(line))
    commands.put(None)


def answer(command, content):
    print(json.dumps({"id": command["id"], "answer": content}), flush=True)


def main():
    # The library logs every error with a trace; here they are counted.
    logging.disable(logging.CRITICAL)
    options = {**DEFAULTS, **json.loads(sys.argv[1])}
    stopping = threading.Event()
    lanes = [Lane(index, options, stopping) for index in range(options["lanes"])]
    commands = queue.Queue()
    threading.Thread(target=read_commands, args=(commands,), daemon=True).start()
    for lane in lanes:
        lane.start()
    end = time.monotonic() + options["maxDurationMs"] / 1000
    while True:
        try:
            command = commands.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            if stopping.is_set():
                return
            # Whoever is still there may ask what it was like, once more as long.
            stopping.set()
            end += options["maxDurationMs"] / 1000
            continue
        if command is None:
            return
        if command["do"] == "report":
            answer(command, report(lanes))
        elif command["do"] == "gap":
            answer(command, gap_since(lanes, command["sinceMs"]))
        elif command["do"] == "stop":
            stopping.set()
            for lane in lanes:
                lane.join()
            answer(command, {**report(lanes), **read_back(lanes)})
            return


main()
