// A plant that nobody described: node plant2000.js PORT PKI_DIR [strict] [dead] [still] [crowded].
// 2,000 variables: 5 lines of 20 machines with 19 signals each, and 100 under Odd, some of them
// with names meant to do harm. dead: every value is Bad. still: nothing changes. crowded: one session.
// misnamed: the certificate has another application URI.
// Says UP and its address once it listens.
const { OPCUAServer } = require("node-opcua-server");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { nodesets } = require("node-opcua-nodesets");
const { DataType, VariantArrayType } = require("node-opcua-variant");
const { StatusCodes } = require("node-opcua-status-code");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");

const [port, pki, ...words] = process.argv.slice(2);
const said = (word) => words.includes(word);

const eu = (code, text) => ({
  namespaceUri: "http://www.opcfoundation.org/UA/units/un/cefact",
  unitId: [...code].reduce((sum, letter) => (sum << 8) | letter.charCodeAt(0), 0),
  displayName: text,
  description: text,
});
// Name, type, unit, range, description, value of tick n at machine m.
const SIGNALS = [
  ["Temperature", "Double", eu("CEL", "°C"), [-20, 140], "Bearing, drive end", (n, m) => 60 + m + Math.sin(n)],
  ["Pressure", "Float", eu("BAR", "bar"), [0, 16], "Outlet", (n) => 6 + Math.cos(n)],
  ["Vibration", "Double", eu("C16", "mm/s"), [0, 25], "Root mean square, 10-1000 Hz", (n) => 2 + (n % 7) / 10],
  ["Speed", "Double", eu("RPM", "r/min"), [0, 3000], "", (n) => 1480 + (n % 5)],
  ["Current", "Float", eu("AMP", "A"), [0, 200], "", (n) => 32 + Math.sin(n)],
  ["Flow", "Double", eu("MQH", "m³/h"), [0, 120], "", (n) => 80 + Math.sin(n / 3)],
  ["Level", "Double", eu("P1", "%"), [0, 100], "", (n) => n % 100],
  ["Power", "Float", eu("KWT", "kW"), [0, 90], "", (n) => 45 + Math.cos(n / 2)],
  ["Torque", "Double", eu("NU", "N·m"), [-50, 400], "", (n) => 210 + Math.sin(n / 5)],
  ["Weight", "Double", eu("XYZ", "bushel(UK)"), [0, 10], "A unit that no list knows", (n) => n % 10],
  ["Running", "Boolean", null, null, "", (n) => n % 60 !== 0],
  ["Mode", "Int16", null, null, "0 off, 1 on", () => 1],
  ["Starts", "UInt32", null, null, "", (n) => Math.floor(n / 60)],
  ["Hours", "UInt64", null, null, "", (n) => [0, n]],
  ["Setpoint", "Double", eu("CEL", "°C"), [0, 100], "", () => 60],
  ["Recipe", "String", null, null, "", () => "standard"],
  ["Since", "DateTime", null, null, "", () => new Date()],
  ["Profile", "Double", null, null, "Four zones", (n) => [n, n + 1, n + 2, n + 3]],
  ["Ripple", "Float", null, null, "", (n) => n / 10],
];
const HOSTILE = [
  "Line\nbreak",
  'Quote " and \' both',
  "Comma, semicolon;",
  "${HOME}",
  "../../etc/passwd",
  "L".repeat(10_000),
  "Left\u202eright",
  "=1+1",
  "+1",
  "-1",
  "@SUM(A1)",
  "Slash/inside",
  "Amp&ersand",
  "[bold red]markup[/bold red]",
  "\u001b[31mred\u001b[0m",
  " padded ",
  "..",
  "Größe Ø",
  "Grosse O",
  "圧力",
];
const ODD = 100;

function fill(space, own) {
  const objects = space.rootFolder.objects;
  const moving = [];
  const folder = (parent, browseName) =>
    own.addObject({ organizedBy: parent, browseName, typeDefinition: "FolderType" });
  const add = (parent, path, m, [name, dataType, unit, range, description, value]) => {
    const array = Array.isArray(value(0, m)) && dataType === "Double";
    const options = {
      componentOf: parent,
      browseName: name,
      nodeId: `s=${path}`,
      dataType,
      description,
      minimumSamplingInterval: 100,
      ...(array ? { valueRank: 1, arrayDimensions: [4] } : {}),
    };
    const variable = unit
      ? own.addAnalogDataItem({
          ...options,
          engineeringUnitsRange: { low: range[0], high: range[1] },
          engineeringUnits: unit,
        })
      : own.addVariable(options);
    moving.push([variable, dataType, array, value, m]);
  };
  for (let l = 1; l <= 5; l += 1) {
    const line = folder(objects, `Line${l}`);
    for (let m = 1; m <= 20; m += 1) {
      const machine = folder(line, `Machine${m}`);
      SIGNALS.forEach((signal) => add(machine, `L${l}.M${m}.${signal[0]}`, m, signal));
    }
  }
  const odd = folder(objects, "Odd");
  for (let i = 0; i < ODD; i += 1) {
    const name = HOSTILE[i] ?? `Plain${i}`;
    const hint = i % 2 ? "=cmd|' /C calc'!A0" : "Two\nlines, and a \"quote\"";
    add(odd, `Odd.${i}`, i, [name, "Double", null, null, hint, (n) => n + i]);
  }
  // A circle, and a second way to the same machine.
  odd.addReference({ referenceType: "Organizes", nodeId: objects.getFolderElementByName("Line1") });
  objects.getFolderElementByName("Line1").addReference({ referenceType: "Organizes", nodeId: odd });
  return moving;
}

function start(moving) {
  let n = 0;
  const status = said("dead") ? StatusCodes.BadSensorFailure : StatusCodes.Good;
  const tick = () => {
    n += 1;
    moving.forEach(([variable, dataType, array, value, m]) =>
      variable.setValueFromSource(
        {
          dataType: DataType[dataType],
          arrayType: array ? VariantArrayType.Array : VariantArrayType.Scalar,
          value: array ? Float64Array.from(value(n, m)) : value(n, m),
        },
        status,
      ),
    );
  };
  tick();
  if (!said("still")) setInterval(tick, 1000);
}

async function main() {
  const serverCertificateManager = new OPCUACertificateManager({
    rootFolder: pki,
    automaticallyAcceptUnknownCertificate: !said("strict"),
  });
  await serverCertificateManager.initialize();
  const certificateFile = `${pki}/own/certs/plant.pem`;
  await serverCertificateManager.createSelfSignedCertificate({
    applicationUri: said("misnamed") ? "urn:another:plant" : "urn:plant:2000",
    dns: ["localhost"],
    ip: ["127.0.0.1"],
    outputFile: certificateFile,
    startDate: new Date(Date.now() - 86400e3),
    subject: "/CN=Plant of two thousand",
    validity: 365,
  });
  const server = new OPCUAServer({
    certificateFile,
    port: Number(port),
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    resourcePath: "/UA/plant",
    nodeset_filename: [nodesets.standard],
    serverCertificateManager,
    userManager: { isValidUser: (user, password) => user === "operator" && password === "s3cret" },
    allowAnonymous: true,
    securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
    serverInfo: { applicationUri: "urn:plant:2000" },
    buildInfo: { productName: "Plant of two thousand", softwareVersion: "7.1", buildNumber: "42" },
    serverCapabilities: {
      maxSessions: said("crowded") ? 1 : 10,
      operationLimits: { maxNodesPerRead: 400, maxNodesPerBrowse: 100 },
    },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  start(fill(space, space.registerNamespace("urn:plant:two-thousand")));
  await server.start();
  console.log("UP", server.getEndpointUrl());
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
