"""One trouble by name: `python3 NAME.py TROUBLE [ARGUMENT]`.

Says `ready ...` once the trouble is there, ends it at the first line of standard input and says `over`, and ends itself
with the end of its input, so that it never outlives the test that started it.
"""

import mmap
import os
import resource
import socket
import subprocess
import sys
import threading

MIB = 1 << 20
over = threading.Event()
goodbye = threading.Event()
kept = []


def take(mib):
    """Memory that is really used, and really gone when it is closed."""
    memory = mmap.mmap(-1, mib * MIB)
    memory.write(b"\1" * (mib * MIB))
    return memory


def call_myself(name):
    """The kernel's name of this process."""
    with open("/proc/self/comm", "w") as comm:
        comm.write(name)


def ready(*words):
    print("ready", *words, flush=True)


def every(seconds, most, action):
    """Does it again and again until the trouble is over, at most so often."""
    for _ in range(most):
        if over.wait(seconds):
            return
        action()


def idle():
    ready()


def leak():
    """1 MiB ten times a second, above 200 MiB, without end."""
    kept.append(take(200))
    ready()
    every(0.1, 1000, lambda: kept.append(take(1)))


def collector():
    """The same pace, but all of it is given back every two seconds."""
    kept.append(take(200))
    ready()

    def tooth():
        if len(kept) > 20:
            while len(kept) > 1:
                kept.pop().close()
        kept.append(take(1))

    every(0.1, 10_000, tooth)


def cache():
    """Fills within two seconds, and stays as it is."""
    kept.append(take(200))
    ready()
    every(0.1, 20, lambda: kept.append(take(3)))


def descriptors():
    """Twenty files a second that are never closed."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    kept.extend(open(os.devnull) for _ in range(490))
    ready()
    every(0.05, 3000, lambda: kept.append(open(os.devnull)))


def threads():
    """Five threads a second that wait for ever."""
    threading.stack_size(256 * 1024)

    def more():
        threading.Thread(target=goodbye.wait, daemon=True).start()

    for _ in range(190):
        more()
    ready()
    every(0.2, 500, more)


def zombie():
    """A child that nobody waits for."""
    child = os.fork()
    if child == 0:
        call_myself("wk-child")
        os._exit(0)
    ready(child)
    over.wait()
    os.waitpid(child, 0)


def listening(backlog):
    listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
    kept.append(listener)
    return listener


def listener():
    """Listens and never accepts."""
    server = listening(1)
    ready(server.getsockname()[1])
    over.wait()
    threading.Thread(target=lambda: [kept.append(server.accept()) for _ in range(10)], daemon=True).start()


def reader():
    """Accepts a connection and never reads from it."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MIB)
    server.bind(("127.0.0.1", 0))
    server.listen(8)
    ready(server.getsockname()[1])
    connection, _ = server.accept()
    kept.extend((server, connection))
    over.wait()

    def read():
        while connection.recv(MIB):
            pass

    threading.Thread(target=read, daemon=True).start()


def supervisor():
    """Starts a program again as soon as it has ended, and in the end one that stays."""
    program = sys.argv[2]
    ready()
    every(0, 1000, lambda: subprocess.run([program, "0.6"], check=False))
    kept.append(subprocess.Popen([program, "60"]))


def hog():
    """Takes more and more in a group of processes with a limit."""
    with open(os.path.join(sys.argv[2], "cgroup.procs"), "w") as group:
        group.write(str(os.getpid()))
    ready()
    every(0.1, 200, lambda: kept.append(take(4)))


def listen_to_the_test():
    sys.stdin.readline()
    over.set()
    sys.stdin.read()
    goodbye.set()


call_myself(os.path.basename(sys.argv[0]).removesuffix(".py"))
threading.Thread(target=listen_to_the_test, daemon=True).start()
TROUBLES = (idle, leak, collector, cache, descriptors, threads, zombie, listener, reader, supervisor, hog)
{make.__name__: make for make in TROUBLES}[sys.argv[1]]()
over.wait()
print("over", flush=True)
goodbye.wait()
for child in kept:
    if isinstance(child, subprocess.Popen):
        child.kill()
os._exit(0)
