// A PLC: node plc.js PORT PKI_DIR [strict] [skew=SECONDS]. Says UP and its address once it listens.
// strict: it refuses certificates that it does not know. skew: its clock is wrong by so much.

const [port, pki, ...words] = process.argv.slice(2);

// Before anything is loaded that may look at the clock.
const skew = Number(words.find((word) => word.startsWith("skew="))?.slice(5) ?? 0) * 1000;
if (skew) {
  const Right = Date;
  globalThis.Date = class extends Right {
    constructor(...given) {
      super(...(given.length ? given : [Right.now() + skew]));
    }
    static now() {
      return Right.now() + skew;
    }
  };
}

const { OPCUAServer } = require("node-opcua-server");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { nodesets } = require("node-opcua-nodesets");
const { DataType, VariantArrayType } = require("node-opcua-variant");
const { StatusCodes } = require("node-opcua-status-code");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");
const { addNodes, capabilities } = require("./nodes");

const strict = words.includes("strict");

// Name, type, value of tick n. Level is Uncertain on every tenth tick and Bad on every fifteenth.
const SIGNALS = [
  ["Flow", "Double", (n) => n + 0.5],
  ["Pressure", "Float", (n) => n + 0.25],
  ["Count", "UInt32", (n) => n],
  ["Small", "Int16", (n) => -n],
  ["Running", "Boolean", (n) => n % 2 === 1],
  ["Total", "UInt64", (n) => [0x40000000, n]],
  ["Recipe", "String", (n) => `recipe ${n}`],
  ["Level", "Double", (n) => n],
];

function level(n) {
  if (n % 15 === 0) return StatusCodes.BadSensorFailure;
  return n % 10 ? StatusCodes.Good : StatusCodes.UncertainLastUsableValue;
}

async function main() {
  const serverCertificateManager = new OPCUACertificateManager({
    rootFolder: pki,
    automaticallyAcceptUnknownCertificate: !strict,
  });
  await serverCertificateManager.initialize();
  const userCertificateManager = new OPCUACertificateManager({
    rootFolder: `${pki}/users`,
    automaticallyAcceptUnknownCertificate: false,
  });
  await userCertificateManager.initialize();
  const server = new OPCUAServer({
    port: Number(port),
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    resourcePath: "/UA/plc",
    nodeset_filename: [nodesets.standard],
    serverCertificateManager,
    userCertificateManager,
    userManager: { isValidUser: (user, password) => user === "operator" && password === "s3cret" },
    allowAnonymous: true,
    securityPolicies: [
      SecurityPolicy.None,
      SecurityPolicy.Basic256Sha256,
      SecurityPolicy.Aes128_Sha256_RsaOaep,
      SecurityPolicy.Aes256_Sha256_RsaPss,
    ],
    securityModes: [
      MessageSecurityMode.None,
      MessageSecurityMode.Sign,
      MessageSecurityMode.SignAndEncrypt,
    ],
    serverInfo: { applicationUri: "urn:plant:plc" },
    serverCapabilities: { maxSessions: 2, ...capabilities(words) },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace("urn:plant:line");
  const line = own.addObject({
    organizedBy: space.rootFolder.objects,
    browseName: "Line1",
    nodeId: "s=Line1",
  });
  const variables = SIGNALS.map(([name, dataType]) =>
    own.addVariable({
      componentOf: line,
      browseName: name,
      nodeId: `s=Line1.${name}`,
      dataType,
      minimumSamplingInterval: 0,
    }),
  );
  addNodes(own, line, words);
  let n = 0;
  const tick = () => {
    n += 1;
    SIGNALS.forEach(([name, dataType, value], i) =>
      variables[i].setValueFromSource(
        { dataType: DataType[dataType], arrayType: VariantArrayType.Scalar, value: value(n) },
        name === "Level" ? level(n) : StatusCodes.Good,
      ),
    );
  };
  tick();
  setInterval(tick, 50);
  await server.start();
  console.log("UP", server.getEndpointUrl());
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
