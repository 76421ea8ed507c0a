// Modbus TCP devices of two makers for the tests: node server.js modbus-serial|jsmodbus PORT
//
// Unit 1. Holding registers and coils are written by clients; input register i holds i XOR 0xA5A5,
// discrete input i is 1 when 3 divides i. Prints "UP <port>", ends when its input ends.
const net = require("net");
const [maker, port] = process.argv.slice(2);
const SIZE = 2000;

function up(listening) {
  console.log("UP", listening.address().port);
  process.stdin.resume().on("end", () => process.exit(0));
}

const makers = {
  "modbus-serial"() {
    const { ServerTCP } = require("modbus-serial");
    const holding = new Uint16Array(SIZE), coils = new Uint8Array(SIZE);
    const server = new ServerTCP({
      getHoldingRegister: (i) => holding[i],
      getInputRegister: (i) => i ^ 0xa5a5,
      getCoil: (i) => Boolean(coils[i]),
      getDiscreteInput: (i) => i % 3 === 0,
      setRegister: (i, value) => { holding[i] = value; },
      setCoil: (i, value) => { coils[i] = value; },
    }, { host: "127.0.0.1", port: Number(port), unitID: 1 });
    server.on("initialized", () => up(server._server));
  },
  jsmodbus() {
    const { server } = require("jsmodbus");
    const input = Buffer.alloc(2 * SIZE), discrete = Buffer.alloc(SIZE / 8);
    for (let i = 0; i < SIZE; i++) {
      input.writeUInt16BE(i ^ 0xa5a5, 2 * i);
      if (i % 3 === 0) discrete[i >> 3] |= 1 << (i & 7);
    }
    const listening = net.createServer();
    new server.TCP(listening, {
      holding: Buffer.alloc(2 * SIZE), coils: Buffer.alloc(SIZE / 8), input, discrete,
    });
    // As it comes, a connection that is reset ends the whole server.
    listening.on("connection", (socket) => socket.on("error", () => socket.destroy()));
    listening.listen(Number(port), "127.0.0.1", () => up(listening));
  },
};
makers[maker]();
