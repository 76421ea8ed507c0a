// A PLC that writes down what it does: node witness.js '{"port": 4840, "pki": "/some/folder"}'.
//
// Tag Ti has the value 1000 n + i from n * period on, which is its source time to the millisecond;
// a tag named in "still" is set once. Every tick, session and limit goes to the output, one JSON a
// line; it obeys {"remove": "T5"}, {"return": "T5"}, {"timeout": "1000"} (of sessions to come, ms) and
// {"forget": "sessions"} (ends them) on its input and ends with it.
const settings = {
  host: "127.0.0.1",
  tags: 10,
  period: 100,
  spaces: ["urn:plant:line"],
  missing: [],
  still: [],
  level: false,
  history: false,
  skew: 0,
  sessions: 20,
  timeout: 3600000,
  operations: 0,
  items: 1000000,
  subscriptions: 100,
  strict: false,
  ...JSON.parse(process.argv[2]),
};

// A wrong clock: everything that is loaded after this line lives by it.
const TrueDate = Date;
if (settings.skew) {
  global.Date = class extends TrueDate {
    constructor(...given) {
      if (given.length) super(...given);
      else super(TrueDate.now() + settings.skew);
    }
    static now() {
      return TrueDate.now() + settings.skew;
    }
  };
}

const { OPCUAServer } = require("node-opcua-server");
const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { nodesets } = require("node-opcua-nodesets");
const { DataType } = require("node-opcua-variant");
const { StatusCodes } = require("node-opcua-status-code");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");

const SPACE = "urn:plant:line";
const tell = (row) => process.stdout.write(`${JSON.stringify(row)}\n`);

function limits() {
  const names = ["Read", "Write", "Browse", "RegisterNodes", "TranslateBrowsePathsToNodeIds"];
  const perCall = Object.fromEntries(names.map((name) => [`maxNodesPer${name}`, settings.operations]));
  return {
    maxSessions: settings.sessions,
    maxSubscriptions: settings.subscriptions,
    maxSubscriptionsPerSession: settings.subscriptions,
    maxMonitoredItems: settings.items,
    maxMonitoredItemsPerSubscription: settings.items,
    // Or the server itself folds two ticks into one wherever a busy machine sets them late.
    minSupportedSampleRate: 0,
    operationLimits: { ...perCall, maxMonitoredItemsPerCall: settings.operations },
  };
}

// Uncertain on every tenth tick and Bad on every fifteenth.
function level(n) {
  if (n % 15 === 0) return StatusCodes.BadSensorFailure;
  return n % 10 ? StatusCodes.Good : StatusCodes.UncertainLastUsableValue;
}

async function built() {
  const serverCertificateManager = new OPCUACertificateManager({
    rootFolder: settings.pki,
    automaticallyAcceptUnknownCertificate: !settings.strict,
  });
  await serverCertificateManager.initialize();
  const server = new OPCUAServer({
    port: settings.port,
    host: settings.host,
    hostname: settings.host,
    resourcePath: "/UA/plc",
    nodeset_filename: [nodesets.standard],
    serverCertificateManager,
    userManager: { isValidUser: (user, password) => user === "operator" && password === "s3cret" },
    allowAnonymous: true,
    securityPolicies: [
      SecurityPolicy.None,
      SecurityPolicy.Basic256Sha256,
      SecurityPolicy.Aes128_Sha256_RsaOaep,
      SecurityPolicy.Aes256_Sha256_RsaPss,
    ],
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
    serverInfo: { applicationUri: "urn:plant:plc" },
    serverCapabilities: limits(),
  });
  await server.initialize();
  return server;
}

function report(server) {
  const live = () => server.engine.currentSessionCount;
  server.on("create_session", () => tell({ session: "created", live: live(), at: TrueDate.now() }));
  server.on("session_closed", () => tell({ session: "closed", live: live(), at: TrueDate.now() }));
  server.on("newChannel", () => tell({ channel: "opened", at: TrueDate.now() }));
  const create = server._on_CreateSessionRequest.bind(server);
  server._on_CreateSessionRequest = (message, channel) => {
    const asked = message.request.requestedSessionTimeout;
    message.request.requestedSessionTimeout = Math.min(asked, settings.timeout);
    return create(message, channel);
  };
}

async function main() {
  const server = await built();
  const space = server.engine.addressSpace;
  settings.spaces.forEach((uri) => space.registerNamespace(uri));
  const own = space.getNamespace(space.getNamespaceIndex(SPACE));
  const line = own.addObject({
    organizedBy: space.rootFolder.objects,
    browseName: "Line1",
    nodeId: "s=Line1",
  });
  const variables = new Map();
  let n = 0;
  const set = (name) => {
    const value = { dataType: DataType.Double, value: 1000 * n + Number(name.slice(1)) };
    const at = new TrueDate(n * settings.period + settings.skew);
    const status = settings.level ? level(n) : StatusCodes.Good;
    variables.get(name).setValueFromSource(value, status, at);
  };
  const add = (name) => {
    const variable = own.addVariable({
      componentOf: line,
      browseName: name,
      nodeId: `s=Line1.${name}`,
      dataType: "Double",
      minimumSamplingInterval: 0,
    });
    variables.set(name, variable);
    if (settings.history) space.installHistoricalDataNode(variable, { maxOnlineValues: 10000 });
    set(name);
  };
  const tick = () => {
    const now = Math.floor(TrueDate.now() / settings.period);
    if (now === n) return;
    n = now;
    for (const name of variables.keys()) if (!settings.still.includes(name)) set(name);
    tell({ n });
  };
  n = Math.floor(TrueDate.now() / settings.period);
  for (let i = 0; i < settings.tags; i++)
    if (!settings.missing.includes(`T${i}`)) add(`T${i}`);
  tell({ n });
  report(server);
  await server.start();
  setInterval(tick, Math.max(5, settings.period / 5));
  let waiting = "";
  process.stdin.on("data", (text) => {
    const lines = (waiting + text).split("\n");
    waiting = lines.pop();
    for (const order of lines.map((each) => JSON.parse(each))) {
      if (order.return) add(order.return);
      if (order.remove) {
        own.deleteNode(variables.get(order.remove));
        variables.delete(order.remove);
      }
      if (order.timeout) settings.timeout = Number(order.timeout);
      if (order.forget)
        for (const session of Object.values(server.engine._sessions))
          server.engine.closeSession(session.authenticationToken, true, "Terminated");
      tell({ done: order, n });
    }
  });
  process.stdin.on("end", () => process.exit(0));
  tell({ up: settings.port, at: TrueDate.now() });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
