// More of a PLC. Words: limits=N (nodes and items in one call), items=N (monitored items of one
// subscription), many=N (T0, T1 ... that stand still). Lines on its input: "delete NAME", "add NAME".
const readline = require("readline");
const { DataValue } = require("node-opcua-data-value");
const { DataType, Variant, VariantArrayType } = require("node-opcua-variant");
const { StatusCode, StatusCodes } = require("node-opcua-status-code");

function number(words, name) {
  return Number(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? 0);
}

function capabilities(words) {
  const limit = number(words, "limits");
  const items = number(words, "items");
  return {
    ...(items && { maxMonitoredItemsPerSubscription: items }),
    ...(limit && {
      operationLimits: {
        maxNodesPerRead: limit,
        maxMonitoredItemsPerCall: limit,
        maxNodesPerTranslateBrowsePathsToNodeIds: limit,
        maxNodesPerBrowse: limit,
      },
    }),
  };
}

// Name, StatusCode with its info bits, picoseconds of the source, at one and the same moment.
const STAMP = new Date("2026-01-02T03:04:05.678Z");
const SERVED = new Date("2026-01-02T03:04:06.789Z");
const STATUSES = [
  ["Good", StatusCodes.Good, 0, 1],
  ["Overflow", StatusCodes.Good, 0x0480, 2000],
  ["High", StatusCodes.Good, 0x0600, 99000],
  ["Interpolated", StatusCodes.Good, 0x0402, 0],
  ["LocalOverride", StatusCodes.GoodLocalOverride, 0, 12300],
  ["Uncertain", StatusCodes.Uncertain, 0, 4500],
  ["LastUsable", StatusCodes.UncertainLastUsableValue, 0x0500, 6700],
  ["SubNormal", StatusCodes.UncertainSubNormal, 0x0700, 0],
  ["Exceeded", StatusCodes.UncertainEngineeringUnitsExceeded, 0x0480, 100],
  ["Sensor", StatusCodes.BadSensorFailure, 0x0500, 200],
  ["Device", StatusCodes.BadDeviceFailure, 0, 300],
];

function fixed(status, bits, picoseconds) {
  const statusCode = bits ? StatusCode.makeStatusCode(status, bits) : status;
  return new DataValue({
    value: new Variant({ dataType: DataType.Double, value: 2.5 }),
    statusCode,
    sourceTimestamp: STAMP,
    sourcePicoseconds: picoseconds,
    serverTimestamp: SERVED,
    serverPicoseconds: 4300,
  });
}

const ARRAYS = {
  Temps: { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: [10.5, 11.5, 12.5] },
  Flags: { dataType: DataType.Boolean, arrayType: VariantArrayType.Array, value: [false, true] },
  Names: { dataType: DataType.String, arrayType: VariantArrayType.Array, value: ["one", "two"] },
  Grid: {
    dataType: DataType.Int32,
    arrayType: VariantArrayType.Matrix,
    dimensions: [2, 3],
    value: new Int32Array([0, 1, 2, 10, 11, 12]),
  },
};

function addNodes(own, line, words) {
  const add = (name, value) => {
    const node = own.addVariable({
      componentOf: line,
      browseName: name,
      nodeId: `s=Line1.${name}`,
      dataType: value.dataType,
      minimumSamplingInterval: 0,
      valueRank: value.dimensions?.length ?? (value.arrayType === VariantArrayType.Array ? 1 : -1),
      arrayDimensions: value.dimensions,
    });
    node.setValueFromSource(value);
    return node;
  };
  const scalar = (value) => ({
    dataType: DataType.Double,
    arrayType: VariantArrayType.Scalar,
    value,
  });
  for (let i = 0; i < number(words, "many"); i += 1) add(`T${i}`, scalar(i));
  Object.entries(ARRAYS).forEach(([name, value]) => add(name, value));
  STATUSES.forEach(([name, status, bits, picoseconds]) =>
    own.addVariable({
      componentOf: line,
      browseName: `Status${name}`,
      nodeId: `s=Line1.Status${name}`,
      dataType: "Double",
      minimumSamplingInterval: 50,
      value: { timestamped_get: () => fixed(status, bits, picoseconds) },
    }),
  );
  const loose = { Loose: add("Loose", scalar(1)) };
  readline.createInterface({ input: process.stdin }).on("line", (said) => {
    const [verb, name] = said.split(" ");
    if (verb === "delete") own.addressSpace.deleteNode(loose[name]);
    if (verb === "add") loose[name] = add(name, scalar(2));
    console.log("DONE", said);
  });
}

module.exports = { addNodes, capabilities };
