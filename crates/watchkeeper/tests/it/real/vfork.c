/* A parent that waits in the kernel, uninterruptibly, for a child that neither ends nor runs another program. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(void) {
    pid_t child = vfork();
    if (child == 0) {
        /* With the parent's memory, but while the parent stands still. It does not outlive its parent. */
        char pid[16];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int length = snprintf(pid, sizeof pid, "ready %d\n", (int)getpid());
        write(1, pid, (size_t)length);
        pause();
        _exit(0);
    }
    write(1, "over\n", 5);
    char end;
    return (int)read(0, &end, 1);
}
