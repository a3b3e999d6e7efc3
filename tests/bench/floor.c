/* The floor and the load, both in C, so that no client of ours is measured.
 *
 *   floor serve SOCKET BYTES             answer BYTES with BYTES, for one client
 *   floor ask SOCKET GREETING REQUEST GREETING_BYTES ANSWER_BYTES SECONDS
 *       send the file GREETING, read GREETING_BYTES; then send the file REQUEST and read ANSWER_BYTES, one after the
 *       other for SECONDS; print one latency in nanoseconds a line. An empty greeting is a plain ping-pong.
 */
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

static char *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (!file) exit(1);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    char *data = malloc(*bytes + 1);
    if (fread(data, 1, *bytes, file) != *bytes) exit(1);
    fclose(file);
    return data;
}

static long now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static int serve(int fd, size_t bytes) {
    char *buffer = calloc(1, bytes);
    if (listen(fd, 1)) return 1;
    puts("ready");
    fflush(stdout);
    int peer = accept(fd, NULL, NULL);
    while (!move_all(peer, buffer, bytes, 0) && !move_all(peer, buffer, bytes, 1)) {
    }
    return 0;
}

static int ask(int fd, char **argv) {
    size_t greeting_bytes, request_bytes;
    char *greeting = read_file(argv[3], &greeting_bytes), *request = read_file(argv[4], &request_bytes);
    size_t greeted_bytes = (size_t)atol(argv[5]), answer_bytes = (size_t)atol(argv[6]);
    char *answer = malloc(greeted_bytes + answer_bytes + 1);
    if (move_all(fd, greeting, greeting_bytes, 1) || move_all(fd, answer, greeted_bytes, 0)) return 1;
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) return 1; /* the signal to start, for all clients at once */
    long capacity = 1 << 20, count = 0, *taken = malloc(sizeof(long) * (size_t)capacity);
    long before = now_ns(), end = before + (long)(atof(argv[7]) * 1e9);
    while (before < end) {
        if (move_all(fd, request, request_bytes, 1) || move_all(fd, answer, answer_bytes, 0)) return 1;
        long now = now_ns();
        if (count == capacity) taken = realloc(taken, sizeof(long) * (size_t)(capacity *= 2));
        taken[count++] = now - before;
        before = now;
    }
    for (long i = 0; i < count; i++) printf("%ld\n", taken[i]);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 4) return 2;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[2], sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (!strcmp(argv[1], "serve")) {
        return bind(fd, (struct sockaddr *)&address, sizeof address) ? 1 : serve(fd, (size_t)atol(argv[3]));
    }
    if (argc < 8 || connect(fd, (struct sockaddr *)&address, sizeof address)) return 1;
    return ask(fd, argv);
}
