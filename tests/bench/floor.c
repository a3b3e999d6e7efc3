/* The floor: one process answers N bytes with N bytes over a Unix socket. Usage: floor SOCKET BYTES (serves until
 * its standard input closes); or: floor SOCKET BYTES COUNT (asks COUNT times, prints one latency in ns a line). */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int move_all(int fd, char *buffer, size_t bytes, int out) {
    while (bytes > 0) {
        ssize_t moved = out ? send(fd, buffer, bytes, MSG_NOSIGNAL) : recv(fd, buffer, bytes, 0);
        if (moved <= 0) return -1;
        buffer += moved;
        bytes -= (size_t)moved;
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    size_t bytes = (size_t)atol(argv[2]);
    char *buffer = calloc(1, bytes);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (argc > 3) {
        if (connect(fd, (struct sockaddr *)&address, sizeof address)) return 1;
        for (long left = atol(argv[3]); left > 0; left--) {
            struct timespec a, b;
            clock_gettime(CLOCK_MONOTONIC, &a);
            if (move_all(fd, buffer, bytes, 1) || move_all(fd, buffer, bytes, 0)) return 1;
            clock_gettime(CLOCK_MONOTONIC, &b);
            printf("%ld\n", (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec);
        }
        return 0;
    }
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 1)) return 1;
    puts("ready");
    fflush(stdout);
    int peer = accept(fd, NULL, NULL);
    while (!move_all(peer, buffer, bytes, 0) && !move_all(peer, buffer, bytes, 1)) {
    }
    return 0;
}
