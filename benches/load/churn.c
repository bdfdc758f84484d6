// Short-lived processes: what a watch that looks once a second does not see.
//
//   churn RATE SECONDS [LOG]
//
// Starts RATE processes a second, each by exec, living 5 to 50 ms (a fixed pseudo-random sequence) and burning 1 ms of
// CPU before it sleeps. Writes to LOG one line `S pid boottime_ns life_ms tag` for a start and `E pid boottime_ns cpu_us`
// for an end, and at last prints `spawned N reaped N cpu_us N`: the truth to compare a log with. Ends with its parent.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SHORTEST_MS = 5, LONGEST_MS = 50, BURN_NS = 1000000 };

static long long clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_ns(long long ns) {
    struct timespec t = {ns / 1000000000LL, ns % 1000000000LL};
    nanosleep(&t, NULL);
}

// churn child MS TAG
static int live(int ms, const char *tag) {
    long long end = clock_ns(CLOCK_BOOTTIME) + ms * 1000000LL;
    prctl(PR_SET_NAME, tag);
    long long start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    while (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start < BURN_NS) {
    }
    int null = open("/dev/null", O_WRONLY);
    char block[4096] = {0};
    if (null < 0 || write(null, block, sizeof block) < 0) return 1;
    long long left = end - clock_ns(CLOCK_BOOTTIME);
    if (left > 0) sleep_ns(left);
    return 0;
}

static long reaped;
static long long cpu_us_total;

// Takes in everybody who has ended; false when there is no child left.
static int reap(FILE *log) {
    int status;
    struct rusage used;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG, &used)) > 0) {
        long long cpu_us = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
        reaped++, cpu_us_total += cpu_us;
        if (log) fprintf(log, "E %d %lld %lld\n", (int)pid, clock_ns(CLOCK_BOOTTIME), cpu_us);
    }
    return pid == 0;
}

int main(int count, char **arguments) {
    if (count == 4 && !strcmp(arguments[1], "child")) return live(atoi(arguments[2]), arguments[3]);
    double rate = count > 1 ? atof(arguments[1]) : 0, seconds = count > 2 ? atof(arguments[2]) : 0;
    if (rate <= 0 || rate > 10000 || seconds <= 0) {
        fprintf(stderr, "usage: churn RATE SECONDS [LOG]\n");
        return 2;
    }
    FILE *log = count > 3 ? fopen(arguments[3], "we") : NULL;
    if (count > 3 && !log) {
        fprintf(stderr, "churn: %s: %s\n", arguments[3], strerror(errno));
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    srand(1);
    long long start = clock_ns(CLOCK_BOOTTIME), gap = (long long)(1e9 / rate), next = start;
    long spawned = 0;
    for (;;) {
        int some_left = reap(log);
        long long now = clock_ns(CLOCK_BOOTTIME);
        if (now - start >= seconds * 1e9) {
            if (!some_left) break;
            sleep_ns(1000000);
        } else if (now < next) {
            sleep_ns(next - now < 1000000 ? next - now : 1000000);
        } else {
            next += gap;
            int ms = SHORTEST_MS + rand() % (LONGEST_MS - SHORTEST_MS + 1);
            char ms_text[16], tag[32];
            snprintf(ms_text, sizeof ms_text, "%d", ms);
            snprintf(tag, sizeof tag, "churn-%ld", spawned);
            pid_t pid = vfork();
            if (pid == 0) {
                execl("/proc/self/exe", "churn", "child", ms_text, tag, (char *)NULL);
                _exit(9);
            }
            if (pid < 0) {
                fprintf(stderr, "churn: start a process: %s\n", strerror(errno));
                return 1;
            }
            spawned++;
            if (log) fprintf(log, "S %d %lld %d %s\n", (int)pid, clock_ns(CLOCK_BOOTTIME), ms, tag);
        }
    }
    if (log && fclose(log)) {
        fprintf(stderr, "churn: %s: %s\n", arguments[3], strerror(errno));
        return 1;
    }
    printf("spawned %ld reaped %ld cpu_us %lld\n", spawned, reaped, cpu_us_total);
    return 0;
}
