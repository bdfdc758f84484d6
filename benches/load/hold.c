// The reference load: many processes that look like a real machine and stay the same for as long as they are needed.
//
//   hold COUNT [ACTIVE_PERMILLE [FOLDER]]
//
// Starts COUNT processes, each by fork and exec, with the names of well-known programs; every twentieth has 8 threads,
// each has 5 to 11 open files (8 in the mean). ACTIVE_PERMILLE of them (default 20) do something: a third burns 1 ms of CPU
// every half second, a third writes 16 KiB and reads 8 KiB of a file in FOLDER every half second, a third sends 8 KiB
// over loopback TCP every 0.4 s to a sink that is one more of the COUNT. Prints `ready COUNT` when all of them have
// reached their role, ends on SIGTERM or SIGINT or when its own parent dies, and leaves no process behind.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Descriptors a child inherits: the sink's listening socket, and a pipe on which it says that it stands.
enum { LISTENER = 3, READY = 4 };
enum { BLOCK = 64 * 1024, WRITE = 16 * 1024, READ = 8 * 1024, SEND = 8 * 1024, SINK_CONNECTIONS = 1024 };

static const char *const NAMES[] = {"nginx", "postgres", "java",            "python3",          "sshd",         "redis-server",
                                    "node",  "cron",     "containerd-shim", "systemd-userwork", "(odd) na)me)", "kworkerd"};
enum { NAME_COUNT = sizeof NAMES / sizeof *NAMES };

static void fail(const char *what) {
    fprintf(stderr, "hold: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void sleep_ms(long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

static long long cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// ---- the roles ----

static void *wait_forever(void *nothing) {
    for (;;) pause();
    return nothing;
}

static void burn_cpu(void) {
    for (;;) {
        long long start = cpu_ns();
        while (cpu_ns() - start < 1000000) {
        }
        sleep_ms(500);
    }
}

static void use_disk(const char *folder, int index, const char *block) {
    char path[4096], back[READ];
    snprintf(path, sizeof path, "%s/watchkeeper-load-%d-%d", folder, index, (int)getpid());
    int file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (file < 0) fail(path);
    unlink(path);
    for (;;) {
        if (pwrite(file, block, WRITE, 0) < 0 || pread(file, back, READ, 0) < 0) fail("use the disk");
        sleep_ms(500);
    }
}

static void send_bytes(int port, const char *block) {
    struct sockaddr_in sink = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s < 0) fail("make a socket");
    while (connect(s, (struct sockaddr *)&sink, sizeof sink) != 0) sleep_ms(500);
    while (send(s, block, SEND, MSG_NOSIGNAL) >= 0) sleep_ms(400);
    fail("send to the sink");
}

static void be_sink(char *block) {
    static struct pollfd all[SINK_CONNECTIONS];
    int count = 1;
    all[0] = (struct pollfd){.fd = LISTENER, .events = POLLIN};
    for (;;) {
        if (poll(all, count, -1) < 0) fail("poll");
        for (int i = count - 1; i > 0; i--)
            if (all[i].revents && read(all[i].fd, block, BLOCK) <= 0) close(all[i].fd), all[i] = all[--count];
        if (all[0].revents && count < SINK_CONNECTIONS) {
            int peer = accept(LISTENER, NULL, NULL);
            if (peer >= 0) all[count++] = (struct pollfd){.fd = peer, .events = POLLIN};
        }
        sleep_ms(100);  // a sink that wakes for each message would be the busiest process of the load
    }
}

// hold role KIND INDEX PORT FOLDER PARENT ...
static int play(char **arguments) {
    char kind = arguments[2][0];
    int index = atoi(arguments[3]), port = atoi(arguments[4]);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != atoi(arguments[6])) return 1;  // the parent died before we asked to be told
    prctl(PR_SET_NAME, NAMES[index % NAME_COUNT]);
    char *block = malloc(BLOCK);
    if (!block) fail("allocate");
    memset(block, 1, BLOCK);
    if (index % 20 == 7) {
        pthread_attr_t small;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 64 * 1024);
        pthread_t thread;
        for (int i = 0; i < 7; i++)
            if (pthread_create(&thread, &small, wait_forever, NULL)) fail("start a thread");
    }
    if (kind != 's') close(LISTENER);
    for (int i = 0; i < 2 + index % 7; i++)
        if (dup(0) < 0) fail("open a file");
    if (write(READY, "r", 1) != 1) return 1;
    close(READY);
    sleep_ms((index * 7919L) % 500);  // spread the active ones over the period
    switch (kind) {
    case 's': be_sink(block); break;
    case 'c': burn_cpu(); break;
    case 'd': use_disk(arguments[5], index, block); break;
    case 't': send_bytes(port, block); break;
    default: wait_forever(NULL);
    }
    return 0;
}

// ---- the parent ----

static volatile sig_atomic_t stopping;
static void stop(int signal) {
    (void)signal;
    stopping = 1;
}

static pid_t start(char kind, int index, int port, const char *folder) {
    char kind_text[2] = {kind, 0}, index_text[16], port_text[16], parent[16], option[64];
    snprintf(index_text, sizeof index_text, "%d", index);
    snprintf(port_text, sizeof port_text, "%d", port);
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    snprintf(option, sizeof option, "--config=/etc/service/conf.d/worker-%05d.yaml", index);
    pid_t child = fork();
    if (child != 0) return child;
    execl("/proc/self/exe", NAMES[index % NAME_COUNT], "role", kind_text, index_text, port_text, folder, parent, option,
          "--log-level", "info", (char *)NULL);
    _exit(9);
}

int main(int count_of_arguments, char **arguments) {
    if (count_of_arguments > 6 && !strcmp(arguments[1], "role")) return play(arguments);
    int count = count_of_arguments > 1 ? atoi(arguments[1]) : 0;
    int permille = count_of_arguments > 2 ? atoi(arguments[2]) : 20;
    const char *folder = count_of_arguments > 3 ? arguments[3] : "/tmp";
    if (count <= 0 || permille < 0 || permille > 1000) {
        fprintf(stderr, "usage: hold COUNT [ACTIVE_PERMILLE [FOLDER]]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (int fd = 3; fd < 1024; fd++) close(fd);  // what our parent left open would count as the children's
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 512) ||
        getsockname(listener, (struct sockaddr *)&address, &length))
        fail("listen on loopback");
    int ready[2];
    if (pipe(ready)) fail("make a pipe");
    // The children find both at fixed numbers; first out of the way, then into place.
    int high_listener = fcntl(listener, F_DUPFD, 10), high_ready = fcntl(ready[1], F_DUPFD, 10);
    int answers = fcntl(ready[0], F_DUPFD_CLOEXEC, 10);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = fcntl(1, F_DUPFD_CLOEXEC, 10);
    if (high_listener < 0 || high_ready < 0 || answers < 0 || nothing < 0 || out < 0) fail("prepare files");
    dup2(nothing, 0), dup2(nothing, 1);
    dup2(high_listener, LISTENER);
    dup2(high_ready, READY);
    close(high_listener), close(high_ready);
    for (int fd = 5; fd < 10; fd++) close(fd);

    pid_t *children = calloc(count, sizeof *children);
    if (!children) fail("allocate");
    int active = (int)((long)count * permille / 1000), started = 0;
    while (started < count && !stopping) {
        char kind = started == 0 && active ? 's' : started <= active && active ? "cdt"[started % 3] : 'i';
        pid_t child = start(kind, started, ntohs(address.sin_port), folder);
        if (child < 0) {
            fprintf(stderr, "hold: start process %d of %d: %s\n", started + 1, count, strerror(errno));
            stopping = 2;
            break;
        }
        children[started++] = child;
    }
    close(LISTENER), close(READY);
    char answer[4096];
    for (int stand = 0; stand < started && !stopping;) {
        ssize_t got = read(answers, answer, sizeof answer);
        if (got == 0) {
            fprintf(stderr, "hold: only %d of %d processes reached their role\n", stand, started);
            stopping = 2;
        } else if (got > 0) {
            stand += got;
        }
    }
    if (!stopping) dprintf(out, "ready %d\n", started);

    // Blocked while we look at the flag, so that a signal between look and sleep is not lost.
    sigset_t ours, before;
    sigemptyset(&ours), sigaddset(&ours, SIGTERM), sigaddset(&ours, SIGINT);
    sigprocmask(SIG_BLOCK, &ours, &before);
    while (!stopping) sigsuspend(&before);
    for (int i = 0; i < started; i++) kill(children[i], SIGKILL);
    while (wait(NULL) > 0 || errno == EINTR) {
    }
    return stopping == 2;
}
