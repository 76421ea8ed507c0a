// Charts in greys: the band that is normal is drawn, colour is left to alarms.

import {make} from "./dom.js";
import {day, kept, minute, number, second} from "./words.js";

const INK = "#303030";
const SOFT = "#6a6a6a";
const GRID = "#d6d6d6";
const BAND = "#cdcdcd";
const FONT = "12px system-ui, 'Segoe UI', 'DejaVu Sans', Arial, sans-serif";
export const PRIORITY = {1: "#c4001a", 2: "#e06c00", 3: "#f0c000", 4: "#b0129a"};

function times(chart, splits, axis, space, step) {
  if (step >= 86400) return splits.map((at) => day(at * 1000));
  return splits.map((at) => (step < 60 ? second(at * 1000) : minute(at * 1000)));
}

const axis = (more) => ({
  stroke: INK,
  font: FONT,
  grid: {stroke: GRID, width: 1},
  ticks: {stroke: SOFT, width: 1, size: 5},
  ...more,
});

const line = (label, stroke, more) => ({
  label,
  stroke,
  width: 1.5,
  points: {show: false},
  spanGaps: false,
  value: (chart, value) => number(value),
  ...more,
});

// One uPlot in a box that keeps its width; without uPlot (Chromium before 80) it says so.
class Chart {
  constructor(label, height, options) {
    this.box = make("div", {class: "chart", role: "img", "aria-label": label});
    this.height = height;
    this.plot = null;
    if (!window.uPlot) {
      this.box.textContent = "This browser is too old for charts; the tables hold the values.";
      return;
    }
    this.options = options;
    new ResizeObserver(() => this.fit()).observe(this.box);
  }

  fit() {
    const width = Math.floor(this.box.clientWidth);
    if (this.plot && width && width !== this.plot.width) {
      this.plot.setSize({width, height: this.height});
    }
  }

  show(data) {
    if (!window.uPlot || !this.box.clientWidth) return;
    if (this.plot) {
      this.plot.setData(data);
      return;
    }
    const size = {width: Math.floor(this.box.clientWidth), height: this.height};
    this.plot = new window.uPlot({...size, ...this.options}, data, this.box);
  }
}

const seconds = (at) => at.map((ms) => ms / 1000);

function onPlot(chart, paint) {
  const {ctx, bbox} = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  paint(ctx, bbox, window.devicePixelRatio || 1);
  ctx.restore();
}

// Score and threshold; `alarm` (a row or null) is marked where it began and was raised, what a
// recording labels is shaded behind.
export class ScoreChart extends Chart {
  constructor() {
    const marks = (chart) => this.alarm && onPlot(chart, (ctx, box, ratio) => {
      const colour = kept(this.alarm.state) ? "#1e1e1e" : PRIORITY[this.alarm.priority];
      ctx.fillStyle = ctx.strokeStyle = colour;
      ctx.lineWidth = 2 * ratio;
      for (const [at, dash] of [[this.alarm.onset, [4, 4]], [this.alarm.raised, []]]) {
        const x = Math.round(chart.valToPos(at / 1000, "x", true));
        ctx.setLineDash(dash.map((part) => part * ratio));
        ctx.beginPath();
        ctx.moveTo(x, box.top);
        ctx.lineTo(x, box.top + box.height);
        ctx.stroke();
      }
    });
    const shades = (chart) => onPlot(chart, (ctx, box, ratio) => {
      ctx.font = `${11 * ratio}px sans-serif`;
      for (const {label, start, stop} of this.labels) {
        const left = chart.valToPos(start / 1000, "x", true);
        const width = Math.max(2 * ratio, chart.valToPos(stop / 1000, "x", true) - left);
        ctx.fillStyle = BAND;
        ctx.fillRect(left, box.top, width, box.height);
        ctx.fillStyle = SOFT;
        if (width > 40 * ratio) ctx.fillText(label, left + 3 * ratio, box.top + 12 * ratio);
      }
    });
    super("Anomaly score and its limit over time", 190, {
      scales: {x: {range: (chart) => [this.start, this.stop]}, y: {range: above}},
      axes: [axis({values: times, size: 32}), axis({size: 56})],
      series: [
        {label: "Time", value: (chart, at) => (at === null ? "–" : second(at * 1000))},
        line("Score", INK, {width: 2}),
        line("Limit", SOFT, {dash: [6, 4]}),
      ],
      hooks: {drawClear: [shades], draw: [marks]},
    });
    this.alarm = null;
    this.labels = [];
  }

  draw(series, start, stop, alarm, labels) {
    this.alarm = alarm;
    this.labels = labels;
    this.start = start / 1000;
    this.stop = stop / 1000;
    this.show([seconds(series.at), series.score, series.threshold]);
  }
}

// Score over limit of the model in force and of the one beside it: each against its own limit.
export class BesideChart extends Chart {
  constructor() {
    const one = (chart) => onPlot(chart, (ctx, box, ratio) => {
      const y = Math.round(chart.valToPos(1, "y", true));
      ctx.strokeStyle = SOFT;
      ctx.lineWidth = ratio;
      ctx.setLineDash([6 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(box.left, y);
      ctx.lineTo(box.left + box.width, y);
      ctx.stroke();
    });
    super("Score over limit of the model in force and of the one beside it", 170, {
      scales: {
        x: {range: (chart) => [this.start, this.stop]},
        y: {range: (chart, low, high) => [0, Math.max(1.15, (high || 0) * 1.08)]},
      },
      axes: [axis({values: times, size: 32}), axis({size: 56})],
      series: [
        {label: "Time", value: (chart, at) => (at === null ? "–" : second(at * 1000))},
        line("In force", INK, {width: 2}),
        line("Beside", SOFT, {width: 2, dash: [2, 3]}),
      ],
      hooks: {drawClear: [one]},
    });
  }

  // Its series have times of their own; both are put on one axis.
  draw(series, start, stop) {
    this.start = start / 1000;
    this.stop = stop / 1000;
    const own = over(series);
    const other = new Map(series.beside.flatMap((one) => Array.from(over(one))));
    const at = Array.from(new Set([...own.keys(), ...other.keys()])).sort((a, b) => a - b);
    const of = (known) => at.map((ms) => (known.has(ms) ? known.get(ms) : null));
    this.show([seconds(at), of(own), of(other)]);
  }
}

function over({at, score, threshold}) {
  return new Map(at.map((ms, index) => [
    ms, score[index] === null || !threshold[index] ? null : score[index] / threshold[index],
  ]));
}

function above(chart, low, high) {
  return [Math.min(0, low || 0), (high || 1) * 1.08];
}

// Least and greatest value a bucket over the band that is normal in the present mode.
export class TrendChart extends Chart {
  constructor(label) {
    const band = (chart) => this.band && onPlot(chart, (ctx, box, ratio) => {
      const {low, high, expected} = this.band;
      const top = chart.valToPos(high, "y", true);
      ctx.fillStyle = BAND;
      ctx.fillRect(box.left, top, box.width, chart.valToPos(low, "y", true) - top);
      if (expected === null) return;
      const y = Math.round(chart.valToPos(expected, "y", true));
      ctx.strokeStyle = SOFT;
      ctx.lineWidth = ratio;
      ctx.setLineDash([6 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(box.left, y);
      ctx.lineTo(box.left + box.width, y);
      ctx.stroke();
    });
    super(label, 140, {
      legend: {show: false},
      scales: {
        x: {range: (chart) => [this.start, this.stop]},
        y: {range: (chart, low, high) => around(low, high, this.band)},
      },
      axes: [axis({values: times, size: 32}), axis({size: 56})],
      series: [{}, line("Least", INK), line("Greatest", INK)],
      bands: [{series: [2, 1], fill: "#30303055"}],
      hooks: {drawClear: [band]},
    });
    this.band = null;
  }

  draw(series, start, stop) {
    const {band_low: low, band_high: high, expected} = series;
    this.band = low === null || high === null ? null : {low, high, expected};
    this.start = start / 1000;
    this.stop = stop / 1000;
    this.show([seconds(series.at), series.low, series.high]);
  }
}

function around(low, high, band) {
  const least = Math.min(low === null ? Infinity : low, band ? band.low : Infinity);
  const most = Math.max(high === null ? -Infinity : high, band ? band.high : -Infinity);
  if (least > most) return [0, 1];
  const margin = (most - least || Math.abs(most) || 1) * 0.12;
  return [least - margin, most + margin];
}

// The last minutes of a score in a tile: no axes, the limit dashed.
export function sparkline(canvas, series) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const ctx = canvas.getContext("2d");
  ctx.clearRect(0, 0, width, height);
  const known = series.score.concat(series.threshold).filter((value) => value !== null);
  if (!known.length) return;
  const top = Math.max(...known) * 1.1 || 1;
  const first = series.at[0];
  const long = series.at[series.at.length - 1] - first || 1;
  const path = (values, style, dash, thick) => {
    ctx.strokeStyle = style;
    ctx.lineWidth = thick * ratio;
    ctx.setLineDash(dash.map((part) => part * ratio));
    ctx.beginPath();
    let pen = false;
    values.forEach((value, index) => {
      const x = ((series.at[index] - first) / long) * width;
      const y = height - ratio - (value / top) * (height - 2 * ratio);
      if (value !== null) ctx[pen ? "lineTo" : "moveTo"](x, y);
      pen = value !== null;
    });
    ctx.stroke();
  };
  path(series.threshold, SOFT, [4, 3], 1);
  path(series.score, INK, [], 1.5);
}
