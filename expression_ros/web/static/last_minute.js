// The scores of the last minute as curves on a canvas, and in words.

const LENGTH_S = 60;
const GAP_S = 1; // without a point, after which nothing is known and no line is drawn
const LEFT = 34;
const BOTTOM = 22;
const TOP = 8;
// Curves differ in their dashes too, not in colour only.
const DASHES = [[], [8, 3], [3, 2], [10, 3, 2, 3], [5, 5], [], [14, 4], [6, 2, 2, 2]];

export class LastMinute {
  constructor(canvas) {
    this.canvas = canvas;
    this.colours = {};
    this.points = []; // {time, scores}, oldest first
    this.labels = [];
  }

  restart(points) {
    const now = performance.now() / 1000;
    this.points = points.map((point) => ({ time: now - point.age, scores: point.scores }));
    this.draw();
  }

  add(scores) {
    const now = performance.now() / 1000;
    this.points.push({ time: now, scores });
    while (this.points.length && this.points[0].time < now - LENGTH_S) this.points.shift();
  }

  inWords() {
    const begin = performance.now() / 1000 - LENGTH_S; // as far back as the curves
    const points = this.points.filter(({ time }) => time >= begin);
    const count = points.length;
    if (!count) return "Nothing is known of the last minute.";
    const led = new Map();
    for (const { scores } of points) {
      const labels = Object.keys(scores);
      if (!labels.length) continue;
      const best = labels.reduce((a, b) => (scores[b] > scores[a] ? b : a));
      led.set(best, (led.get(best) ?? 0) + 1);
    }
    if (!led.size) return "Nobody has been seen in the last minute.";
    const parts = [...led].sort((a, b) => b[1] - a[1]);
    const seen = parts.reduce((sum, part) => sum + part[1], 0);
    const words = parts.map(([label, n]) => `${label} ${Math.round((100 * n) / seen)} %`);
    const span = Math.round(points[count - 1].time - points[0].time);
    const away = seen < count ? `, somebody in view for ${Math.round((100 * seen) / count)} % of it` : "";
    return `What led in the last ${span} seconds${away}: ${words.join(", ")}.`;
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const width = this.canvas.clientWidth;
    const height = this.canvas.clientHeight;
    if (!width || !height) return;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    this.drawAxes(pen, width, height);
    const now = performance.now() / 1000;
    const x = (time) => LEFT + (width - LEFT - 8) * (1 - (now - time) / LENGTH_S);
    const y = (score) => TOP + (height - TOP - BOTTOM) * (1 - score);
    pen.lineWidth = 2;
    this.labels.forEach((label, k) => {
      pen.strokeStyle = this.colours[label] ?? "#c8c8c8";
      pen.setLineDash(DASHES[k % DASHES.length]);
      pen.beginPath();
      let down = false;
      let before = -Infinity;
      for (const { time, scores } of this.points) {
        const score = scores[label];
        if (time - before > GAP_S) down = false;
        before = time;
        if (score === undefined || time < now - LENGTH_S) {
          down = false;
          continue;
        }
        if (down) pen.lineTo(x(time), y(score));
        else pen.moveTo(x(time), y(score));
        down = true;
      }
      pen.stroke();
    });
    pen.setLineDash([]);
    this.drawNames(pen, width, y);
  }

  drawAxes(pen, width, height) {
    const bottom = height - BOTTOM;
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = "#ebebeb";
    pen.strokeStyle = "#454b54";
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    for (const score of [0, 0.5, 1]) {
      const y = TOP + (bottom - TOP) * (1 - score);
      pen.beginPath();
      pen.moveTo(LEFT, y);
      pen.lineTo(width - 8, y);
      pen.stroke();
      pen.fillText(score.toString(), LEFT - 6, y);
    }
    pen.textBaseline = "alphabetic";
    pen.textAlign = "left";
    pen.fillText("60 s ago", LEFT, height - 6);
    pen.textAlign = "right";
    pen.fillText("now", width - 8, height - 6);
  }

  // The names of the two that lead now, where their curves end.
  drawNames(pen, width, y) {
    const newest = this.points.at(-1);
    const last = newest && newest.time > performance.now() / 1000 - 2 ? newest.scores : {};
    const leading = Object.keys(last).filter((label) => last[label] > 0.15);
    leading.sort((a, b) => last[b] - last[a]);
    pen.font = "bold 12px system-ui, sans-serif";
    pen.textAlign = "right";
    let free = -Infinity;
    for (const label of leading.slice(0, 2)) {
      const place = Math.max(y(last[label]) + 14, free);
      free = place + 15;
      const size = pen.measureText(label).width;
      pen.fillStyle = "#191c21cc";
      pen.fillRect(width - 16 - size, place - 11, size + 8, 15);
      pen.fillStyle = this.colours[label] ?? "#ebebeb";
      pen.fillText(label, width - 12, place);
    }
  }
}
