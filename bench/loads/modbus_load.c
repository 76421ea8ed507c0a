/* A Modbus TCP load source on libmodbus: units 1 to 50, each with 100 holding registers.
 *
 * Registers 0 and 1 carry the tick (Unix seconds, low word first), register 2 counts the answers of
 * the unit that covered it, so a reader can prove that it lost none; the others follow the formula
 * of formula.py, computed at the moment of the request. Prints one JSON line when it listens and, at
 * SIGTERM, one with what it sent.
 *
 *     gcc -O2 modbus_load.c -o modbus_load $(pkg-config --cflags --libs libmodbus)
 *     ./modbus_load PORT        (0: any free port)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { UNITS = 50, REGISTERS = 100, HEADER = 3, CLIENTS = 64, UNIT_AT = 6 };

static volatile sig_atomic_t stopped;
static unsigned answers[UNITS + 1];
static unsigned long long sent;

static void stop(int number) { (void)number; stopped = 1; }

static unsigned value(long unit, long reg, long tick) {
    long phase = (tick + 7 * unit + 13 * reg) % 40;
    long wave = phase < 40 - phase ? phase : 40 - phase;
    long fault = (tick + 37 * (REGISTERS * unit + reg)) % 600 < 5 ? 3000 : 0;
    return (unsigned)(1000 + (17 * unit + 29 * reg) % 500 + wave + fault);
}

static void fill(uint16_t *table, unsigned unit) {
    long tick = (long)time(NULL);
    table[0] = (uint16_t)(tick & 0xFFFF);
    table[1] = (uint16_t)(tick >> 16);
    table[2] = (uint16_t)answers[unit];
    for (int reg = HEADER; reg < REGISTERS; reg++) table[reg] = (uint16_t)value(unit, reg, tick);
}

/* An answer is counted when its query asks for the counter among others. */
static void reply(modbus_t *bus, const uint8_t *query, int length, modbus_mapping_t *map) {
    unsigned unit = query[UNIT_AT];
    unsigned function = query[7], first = query[8] << 8 | query[9], count = query[10] << 8 | query[11];
    if (unit < 1 || unit > UNITS) {
        modbus_reply_exception(bus, query, MODBUS_EXCEPTION_GATEWAY_TARGET);
        return;
    }
    int reads = function == MODBUS_FC_READ_HOLDING_REGISTERS && first + count <= REGISTERS;
    if (reads && first <= 2 && first + count > 2) answers[unit]++;
    fill(map->tab_registers, unit);
    if (modbus_reply(bus, query, length, map) > 0 && reads) sent += count;
}

static int port_of(int listener) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    getsockname(listener, (struct sockaddr *)&at, &size);
    return ntohs(at.sin_port);
}

static void welcome(int listener, struct pollfd *peers, int *used) {
    int on = 1, peer = accept(listener, NULL, NULL);
    if (peer < 0) return;
    if (*used > CLIENTS) { close(peer); return; }
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peers[(*used)++] = (struct pollfd){.fd = peer, .events = POLLIN};
}

static void report(void) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    double cpu = use.ru_utime.tv_sec + use.ru_stime.tv_sec
        + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    printf("{\"samples\": %llu, \"cpu_s\": %.3f}\n", sent, cpu);
}

int main(int argc, char **argv) {
    modbus_t *bus = modbus_new_tcp("127.0.0.1", argc > 1 ? atoi(argv[1]) : 0);
    modbus_mapping_t *map = modbus_mapping_new(0, 0, REGISTERS, 0);
    int listener = bus && map ? modbus_tcp_listen(bus, CLIENTS) : -1;
    if (listener < 0) { perror("modbus_load"); return 1; }
    struct sigaction end = {.sa_handler = stop};
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    signal(SIGPIPE, SIG_IGN);
    printf("{\"port\": %d}\n", port_of(listener));
    fflush(stdout);

    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    struct pollfd peers[CLIENTS + 1] = {{.fd = listener, .events = POLLIN}};
    int used = 1;
    while (!stopped) {
        if (poll(peers, (nfds_t)used, -1) < 0) continue;
        if (peers[0].revents) welcome(listener, peers, &used);
        for (int i = used - 1; i > 0; i--) {
            if (!peers[i].revents) continue;
            modbus_set_socket(bus, peers[i].fd);
            int length = modbus_receive(bus, query);
            if (length > 0) { reply(bus, query, length, map); continue; }
            if (length == 0) continue;
            close(peers[i].fd);
            peers[i] = peers[--used];
        }
    }
    report();
    return 0;
}
