/* A Modbus device for the tests, over TCP or on a serial line.
 *
 *   server PORT|DEVICE [hole=UNIT,FUNCTION,FIRST,LAST | silent=UNIT | refuse=UNIT,CODE | slow=UNIT,MS] ...
 *
 * Port 0 takes a free one; on a serial line (115200 8N1) it is unit 1 only. It prints "UP <port>"
 * once it listens and ends when its input ends, so that it never outlives the test. All units share one memory: holding registers and coils are
 * written by clients; input register i holds i XOR 0xA5A5, discrete input i is 1 when 3 divides i.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/select.h>
#include <unistd.h>

enum { UNITS = 256, ENTRIES = 65536, HOLES = 64 };

struct hole {
    int unit, function, first, last;
};

static struct hole holes[HOLES];
static int hole_count;
static int silent[UNITS];
static int refused[UNITS];
static int slow_ms[UNITS];

static int take(const char *word) {
    int unit, second;
    struct hole *hole = &holes[hole_count];
    if (hole_count < HOLES && sscanf(word, "hole=%d,%d,%d,%d", &hole->unit, &hole->function,
                                     &hole->first, &hole->last) == 4) {
        hole_count++;
    } else if (sscanf(word, "silent=%d", &unit) == 1 && unit >= 0 && unit < UNITS) {
        silent[unit] = 1;
    } else if (sscanf(word, "refuse=%d,%d", &unit, &second) == 2 && unit >= 0 && unit < UNITS) {
        refused[unit] = second;
    } else if (sscanf(word, "slow=%d,%d", &unit, &second) == 2 && unit >= 0 && unit < UNITS) {
        slow_ms[unit] = second;
    } else {
        return -1;
    }
    return 0;
}

static int in_hole(const uint8_t *query, int header) {
    int unit = query[header - 1], function = query[header];
    int first = query[header + 1] << 8 | query[header + 2];
    int last = first + (query[header + 3] << 8 | query[header + 4]) - 1;
    for (int i = 0; i < hole_count; i++) {
        if (holes[i].unit == unit && holes[i].function == function && first <= holes[i].last &&
            last >= holes[i].first) {
            return 1;
        }
    }
    return 0;
}

static void answer(modbus_t *context, modbus_mapping_t *memory, const uint8_t *query, int length) {
    int header = modbus_get_header_length(context);
    int unit = query[header - 1];
    if (silent[unit]) {
        return;
    }
    usleep(slow_ms[unit] * 1000);
    if (refused[unit]) {
        modbus_reply_exception(context, query, refused[unit]);
    } else if (in_hole(query, header)) {
        modbus_reply_exception(context, query, MODBUS_EXCEPTION_ILLEGAL_DATA_ADDRESS);
    } else {
        modbus_reply(context, query, length, memory);
    }
}

static void serve(modbus_t *context, modbus_mapping_t *memory, int listener) {
    fd_set open_sockets;
    int highest = listener;
    FD_ZERO(&open_sockets);
    FD_SET(listener, &open_sockets);
    FD_SET(STDIN_FILENO, &open_sockets);
    for (;;) {
        fd_set ready = open_sockets;
        if (select(highest + 1, &ready, NULL, NULL, NULL) < 0 || FD_ISSET(STDIN_FILENO, &ready)) {
            return;
        }
        for (int one = STDIN_FILENO + 1; one <= highest; one++) {
            if (!FD_ISSET(one, &ready)) {
                continue;
            }
            if (one == listener) {
                int client = accept(listener, NULL, NULL);
                if (client >= 0) {
                    FD_SET(client, &open_sockets);
                    highest = client > highest ? client : highest;
                }
                continue;
            }
            uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
            modbus_set_socket(context, one);
            int length = modbus_receive(context, query);
            if (length > 0) {
                answer(context, memory, query, length);
            } else if (length < 0) {
                close(one);
                FD_CLR(one, &open_sockets);
            }
        }
    }
}

static void serve_line(modbus_t *context, modbus_mapping_t *memory) {
    int line = modbus_get_socket(context);
    for (;;) {
        uint8_t query[MODBUS_RTU_MAX_ADU_LENGTH];
        fd_set ready;
        FD_ZERO(&ready);
        FD_SET(line, &ready);
        FD_SET(STDIN_FILENO, &ready);
        if (select(line + 1, &ready, NULL, NULL, NULL) < 0 || FD_ISSET(STDIN_FILENO, &ready)) {
            return;
        }
        int length = modbus_receive(context, query);
        if (length > 0) {
            answer(context, memory, query, length);
        }
    }
}

static modbus_mapping_t *filled(void) {
    modbus_mapping_t *memory = modbus_mapping_new(ENTRIES, ENTRIES, ENTRIES, ENTRIES);
    for (int i = 0; memory && i < ENTRIES; i++) {
        memory->tab_input_registers[i] = i ^ 0xA5A5;
        memory->tab_input_bits[i] = i % 3 == 0;
    }
    return memory;
}

static int run_line(const char *device) {
    modbus_t *context = modbus_new_rtu(device, 115200, 'N', 8, 1);
    modbus_mapping_t *memory = filled();
    if (!context || !memory || modbus_set_slave(context, 1) < 0 || modbus_connect(context) < 0) {
        fprintf(stderr, "cannot open %s: %s\n", device, modbus_strerror(errno));
        return 1;
    }
    /* A frame ends with silence; as it comes, libmodbus waits 500 ms for the rest of one. */
    modbus_set_byte_timeout(context, 0, 10000);
    printf("UP 0\n");
    fflush(stdout);
    serve_line(context, memory);
    return 0;
}

int main(int count, char **words) {
    if (count < 2) {
        return 2;
    }
    for (int i = 2; i < count; i++) {
        if (take(words[i]) < 0) {
            fprintf(stderr, "cannot read %s\n", words[i]);
            return 2;
        }
    }
    if (words[1][0] == '/') {
        return run_line(words[1]);
    }
    modbus_t *context = modbus_new_tcp("127.0.0.1", atoi(words[1]));
    modbus_mapping_t *memory = filled();
    int listener = context && memory ? modbus_tcp_listen(context, 5) : -1;
    struct sockaddr_in place;
    socklen_t size = sizeof place;
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&place, &size) < 0) {
        fprintf(stderr, "cannot listen: %s\n", modbus_strerror(errno));
        return 1;
    }
    printf("UP %d\n", ntohs(place.sin_port));
    fflush(stdout);
    serve(context, memory, listener);
    return 0;
}
