/* An open loop: requests leave when they are due, whether or not earlier ones were answered.
 *
 *   flood SOCKET GREETING REQUEST GREETING_BYTES RATE SECONDS
 *       send the file GREETING, read GREETING_BYTES; then send the file REQUEST RATE times a second, with request ids
 *       that count from 1 (0 is the connection itself); print a line for each request: the code that answered it (RESULT, the code of an ERROR, or
 *       NONE), when it was due, and how long after that the answer came, in nanoseconds.
 *
 * The header of a frame is in docs/protocol.md. The machine must be little-endian.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { HEADER_BYTES = 32, TYPE_AT = 3, REQUEST_AT = 16, META_AT = 24, PAYLOAD_AT = 28, RESULT = 5, ERROR = 6 };
enum { BUFFER_BYTES = 1 << 20, CODE_BYTES = 40 };
static const long PATIENCE_NS = 10000000000L; /* for answers, after the last request */

typedef struct {
    char code[CODE_BYTES];
    long taken_ns;
} Answer;

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

static void greet(int fd, char **argv) {
    size_t bytes, left = (size_t)atol(argv[4]);
    char *greeting = read_file(argv[2], &bytes), scratch[4096];
    if (send(fd, greeting, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) exit(1);
    while (left > 0) {
        ssize_t got = recv(fd, scratch, left < sizeof scratch ? left : sizeof scratch, 0);
        if (got <= 0) exit(1);
        left -= (size_t)got;
    }
}

static void note(const char *frame, uint32_t meta_bytes, long due_ns, Answer *answer) {
    answer->taken_ns = now_ns() - due_ns;
    if (frame[TYPE_AT] == RESULT) {
        strcpy(answer->code, "RESULT");
        return;
    }
    const char *key = memmem(frame + HEADER_BYTES, meta_bytes, "\"code\"", 6);
    const char *code = key ? strchr(key + 6, '"') : NULL;
    sscanf(code ? code : "\"UNREADABLE", "\"%39[A-Z_]", answer->code);
}

int main(int argc, char **argv) {
    if (argc < 7) return 2;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, argv[1], sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), bytes_kept = BUFFER_BYTES;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes_kept, sizeof bytes_kept);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) return 1;
    greet(fd, argv);
    size_t request_bytes, sent_bytes = 0, kept = 0;
    char *request = read_file(argv[3], &request_bytes), *buffer = calloc(1, BUFFER_BYTES + 1);
    double interval_ns = 1e9 / atof(argv[5]);
    long count = (long)(atof(argv[5]) * atof(argv[6])), next = 0, answered = 0;
    Answer *answers = calloc((size_t)count, sizeof *answers);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF) return 1; /* the signal to start, for all clients at once */
    long start_ns = now_ns(), end_ns = start_ns + (long)(count * interval_ns) + PATIENCE_NS;
#define DUE_NS(i) (start_ns + (long)((double)(i) * interval_ns))
    while (answered < count) {
        long now = now_ns();
        if (now > end_ns) break;
        while (next < count && now >= DUE_NS(next)) {
            memcpy(request + REQUEST_AT, &(uint64_t){(uint64_t)next + 1}, 8);
            ssize_t moved = send(fd, request + sent_bytes, request_bytes - sent_bytes, MSG_NOSIGNAL);
            if (moved <= 0) break;
            sent_bytes = (sent_bytes + (size_t)moved) % request_bytes;
            if (sent_bytes > 0) break;
            next++;
        }
        int is_due = next < count && now >= DUE_NS(next); /* and the socket is full */
        long wait_ns = next < count && !is_due ? DUE_NS(next) - now : 100000000L;
        struct pollfd ready = {.fd = fd, .events = (short)(POLLIN | (is_due ? POLLOUT : 0))};
        ppoll(&ready, 1, &(struct timespec){wait_ns / 1000000000L, wait_ns % 1000000000L}, NULL);
        if (!(ready.revents & (POLLIN | POLLHUP))) continue;
        ssize_t got = recv(fd, buffer + kept, BUFFER_BYTES - kept, 0);
        if (got <= 0) break;
        kept += (size_t)got;
        size_t position = 0;
        while (kept - position >= HEADER_BYTES) {
            char *frame = buffer + position;
            uint32_t meta_bytes, payload_bytes;
            uint64_t id;
            memcpy(&meta_bytes, frame + META_AT, 4);
            memcpy(&payload_bytes, frame + PAYLOAD_AT, 4);
            memcpy(&id, frame + REQUEST_AT, 8);
            size_t frame_bytes = HEADER_BYTES + (size_t)meta_bytes + payload_bytes;
            if (frame_bytes > BUFFER_BYTES) return 1;
            if (kept - position < frame_bytes) break;
            if ((frame[TYPE_AT] == RESULT || frame[TYPE_AT] == ERROR) && id - 1 < (uint64_t)count) {
                note(frame, meta_bytes, DUE_NS(id - 1), &answers[id - 1]);
                answered++;
            }
            position += frame_bytes;
        }
        memmove(buffer, buffer + position, kept - position);
        kept -= position;
    }
    for (long i = 0; i < count; i++) {
        const char *code = answers[i].code[0] ? answers[i].code : "NONE";
        printf("%s %ld %ld\n", code, DUE_NS(i) - start_ns, answers[i].taken_ns);
    }
    return 0;
}
