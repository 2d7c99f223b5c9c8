/* Makes system calls as it is told and prints their results: `caller NUMBER,A0,A1,A2,A3,A4,A5 ...`. An argument is a
 * number, or a letter for something that has to be made first: p a pipe, s a socket, r /dev/urandom, e an epoll
 * descriptor (-1 without epoll), P an array for poll(2) and E an event for epoll_ctl(2) that ask for (E)POLLRDHUP,
 * u room for anything. A child that a call makes ends at once. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYS_poll = 7, SYS_pipe = 22, SYS_socket = 41, SYS_clone = 56, SYS_vfork = 58, SYS_exit_group = 231 };

static long room[1024];

static inline __attribute__((always_inline)) long call(long n, const long *a) {
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(n), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    if (n >= SYS_clone && n <= SYS_vfork && result == 0)
        __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(0) : "rcx", "r11");
    return result;
}

static long made(char letter) {
    static struct { int fd; short events, revents; } polled = {-1, 0x2000, 0};
    static char event[12] = {0, 0x20};
    long none[6] = {0}, inet[6] = {2, 1};
    int ends[2];
    switch (letter) {
    case 'p':
        none[0] = (long)ends;
        return call(SYS_pipe, none) == 0 ? ends[0] : -1;
    case 's': return call(SYS_socket, inet);
    case 'r':
        none[0] = (long)"/dev/urandom";
        return call(2, none);
    case 'e':
        none[0] = 1;
        return call(213, none);
    case 'P': return (long)&polled;
    case 'E': return (long)event;
    default: return (long)room;
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        long a[6] = {0};
        char *rest = argv[i], line[64];
        long n = strtol(rest, &rest, 0);
        for (int k = 0; k < 6 && *rest == ','; k++) {
            rest++;
            if (strchr("psrePEu", *rest))
                a[k] = made(*rest++);
            else
                a[k] = strtol(rest, &rest, 0);
        }
        long result = call(n, a);
        int len = snprintf(line, sizeof line, "%ld\n", result);
        if (write(1, line, (size_t)len) != len)
            return 1;
    }
    return 0;
}
