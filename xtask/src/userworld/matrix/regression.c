/* Stands in front of the daemon and makes one system call, CALL, as a dependency might begin to do. With MANDATORY it
 * cannot do without. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long result;
    (void)argc;
    __asm__ volatile("syscall" : "=a"(result) : "a"(CALL), "D"(0L), "S"(0L), "d"(0L) : "rcx", "r11", "memory");
    if (MANDATORY && result == -38) {
        fputs("error: function not implemented\n", stderr);
        return 1;
    }
    execv("/opt/esxftpd/bin/behind", argv);
    return 1;
}
