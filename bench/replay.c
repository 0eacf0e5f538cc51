/* Sends recorded commands to Redis and counts the replies: what no client can be faster than.
 *
 * usage: replay PORT FILE together|one-by-one
 *
 * FILE holds commands as they are on the wire. "together" sends them as one buffer and reads while it sends;
 * "one-by-one" waits for each reply before the next command. Each line on standard input starts a run; its
 * nanoseconds are printed. A reply that is an error ends the program: a replay must be what was recorded.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Redis answers within this, or the program ends: whoever waits for it is to know. */
#define RUN_SECONDS 60

static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("replay: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

/* The first byte after the value that starts here, NULL when it is not whole yet. */
static const char *value_end(const char *at, const char *end) {
    const char *line = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    if (line == NULL)
        return NULL;
    const char *next = line + 1;
    if (*at == '+' || *at == '-' || *at == ':')
        return next;
    if (*at != '$' && *at != '*')
        die("not understood: %.*s", (int)(line - at), at);
    long count = strtol(at + 1, NULL, 10);
    if (*at == '$') {
        if (count >= 0)
            next += count + 2;
        return next <= end ? next : NULL;
    }
    while (count-- > 0)
        if ((next = value_end(next, end)) == NULL)
            return NULL;
    return next;
}

/* Commands or replies: bytes of which those before `read` are done with. */
static struct {
    char *bytes;
    size_t read, filled, size;
} in;

static struct {
    const char *bytes;
    size_t size, count;
} commands;

/* How many whole replies lie in the buffer; they are taken out of it. */
static size_t take_replies(void) {
    size_t found = 0;
    const char *at = in.bytes + in.read, *end = in.bytes + in.filled, *next;
    while ((next = value_end(at, end)) != NULL) {
        if (*at == '-')
            die("Redis answered %.*s", (int)(next - at - 2), at);
        at = next;
        found++;
    }
    in.read = (size_t)(at - in.bytes);
    if (in.read == in.filled)
        in.read = in.filled = 0;
    return found;
}

/* Reads what is there; waits for it where the socket is one that blocks. */
static void read_some(int sock) {
    if (in.filled == in.size) {
        memmove(in.bytes, in.bytes + in.read, in.filled - in.read);
        in.filled -= in.read;
        in.read = 0;
        if (in.filled > in.size / 2 && (in.bytes = realloc(in.bytes, in.size *= 2)) == NULL)
            die("no memory");
    }
    ssize_t got = recv(sock, in.bytes + in.filled, in.size - in.filled, 0);
    if (got == 0)
        die("Redis closed the connection");
    if (got < 0 && errno != EAGAIN && errno != EINTR)
        die("reading: %s", strerror(errno));
    if (got > 0)
        in.filled += (size_t)got;
}

static size_t send_some(int sock, const char *bytes, size_t size, int flags) {
    ssize_t sent = send(sock, bytes, size, MSG_NOSIGNAL | flags);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        die("sending: %s", strerror(errno));
    return sent > 0 ? (size_t)sent : 0;
}

static void run_together(int sock) {
    size_t sent = 0, replies = 0;
    while (replies < commands.count) {
        struct pollfd wait = {.fd = sock, .events = POLLIN};
        if (sent < commands.size)
            wait.events |= POLLOUT;
        if (poll(&wait, 1, -1) < 0 && errno != EINTR)
            die("waiting: %s", strerror(errno));
        if (wait.revents & POLLOUT)
            sent += send_some(sock, commands.bytes + sent, commands.size - sent, MSG_DONTWAIT);
        if (wait.revents & ~POLLOUT) {
            read_some(sock);
            replies += take_replies();
        }
    }
}

static void run_one_by_one(int sock) {
    const char *at = commands.bytes, *end = commands.bytes + commands.size;
    while (at < end) {
        const char *next = value_end(at, end);
        while (at < next)
            at += send_some(sock, at, (size_t)(next - at), 0);
        do
            read_some(sock);
        while (take_replies() == 0);
    }
}

static void load_commands(const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        die("%s: %s", path, strerror(errno));
    commands.size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(commands.size + 1);
    if (bytes == NULL || fread(bytes, 1, commands.size, file) != commands.size)
        die("%s: could not be read", path);
    fclose(file);
    commands.bytes = bytes;
    const char *at = bytes, *end = bytes + commands.size;
    while (at < end) {
        if ((at = value_end(at, end)) == NULL)
            die("%s: ends within a command", path);
        commands.count++;
    }
    if (commands.count == 0)
        die("%s: no command", path);
}

static int connect_to(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int sock = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (sock < 0 || connect(sock, (struct sockaddr *)&address, sizeof address) != 0)
        die("port %d: %s", port, strerror(errno));
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return sock;
}

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char **argv) {
    if (argc != 4 || (strcmp(argv[3], "together") != 0 && strcmp(argv[3], "one-by-one") != 0))
        die("usage: replay PORT FILE together|one-by-one");
    void (*run)(int) = strcmp(argv[3], "together") == 0 ? run_together : run_one_by_one;
    load_commands(argv[2]);
    in.size = 1 << 18;
    if ((in.bytes = malloc(in.size)) == NULL)
        die("no memory");
    int sock = connect_to(atoi(argv[1]));
    for (int c; (c = getchar()) != EOF;) {
        if (c != '\n')
            continue;
        alarm(RUN_SECONDS);
        long long started = now_ns();
        run(sock);
        printf("%lld\n", now_ns() - started);
        fflush(stdout);
    }
    return 0;
}
