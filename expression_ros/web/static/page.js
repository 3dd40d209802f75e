// The page: listens to /events, shows what comes, fetches images when there are new ones.

import { CalibrationDialogue } from "./calibration.js";
import { Freshness, inWords } from "./freshness.js";
import { LastMinute } from "./last_minute.js";
import { PhotoReading } from "./photo.js";

const NOBODY = "nobody";
const UNKNOWN = "unknown"; // a face that could not be read surely enough
const DRAWN = "virtual_face"; // the robot that looks as it is drawn
const ANNOUNCE_MS = 1500; // a label is read out when it has held for so long
const SAMPLE_MS = 250;
const SAY_MINUTE_MS = 2000;
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

const at = (id) => document.getElementById(id);
const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
const percent = (score) => `${Math.round(100 * score)} %`;

// Images: one at a time, the newest each; the next is asked for when the last has been shown.
class Picture {
  constructor(name, missing) {
    this.image = at(name);
    this.missing = missing;
    this.name = name;
    this.wanted = 0;
    this.shown = 0;
    this.busy = false;
    this.since = 0;
    this.image.addEventListener("load", () => this.done(true));
    this.image.addEventListener("error", () => this.done(false));
  }

  want(number) {
    this.wanted = number;
    const rest = calm.matches ? 500 : 0;
    if (this.busy || number === this.shown || performance.now() - this.since < rest) return;
    this.busy = true;
    this.since = performance.now();
    this.shown = number;
    this.image.src = `/picture/${this.name}?number=${number}`;
  }

  done(good) {
    this.busy = false;
    if (good) this.see(true);
    if (this.wanted !== this.shown && !calm.matches) this.want(this.wanted);
  }

  see(there) {
    this.image.hidden = !there;
    this.missing.hidden = there;
  }

  forget() {
    this.see(false);
    this.shown = 0;
    this.busy = false;
  }
}

const overlay = new Picture("overlay", at("overlay-missing"));
const robot = new Picture("robot", at("robot-missing"));
const minute = new LastMinute(at("minute"));
const photo = new PhotoReading();
const calibration = new CalibrationDialogue();
const freshness = new Freshness();

let frame = null;
let info = null;
let rows = new Map(); // label: the elements of its row

function showFrame(data) {
  frame = data;
  showLabel();
  setText(at("score"), surety(frame.label, frame.scores));
  setText(at("expression"), frame.robot.expression || "nothing yet");
  setText(at("robot-name"), whichRobot(frame.robot));
  setText(at("faces-in-view"), facesInView(frame));
  showScores(frame.scores);
  overlay.want(frame.pictures.overlay);
  robot.want(frame.pictures.robot);
}

// Before the first frame nothing is known: that is not to say that nobody is there.
function showLabel() {
  const known = frame && freshness.age() !== undefined;
  setText(at("label"), known ? frame.label || NOBODY : "nothing yet");
}

function whichRobot({ name, style }) {
  if (!name) return "no mirror runs";
  const drawn = name === DRAWN ? "" : "; drawn here as the virtual face";
  return `on ${name}, style ${style}${drawn}`;
}

function surety(label, scores) {
  const best = leader(scores);
  if (!label || best === undefined) return "";
  if (label === UNKNOWN) return `not sure enough; perhaps ${best}, ${percent(scores[best])}`;
  return percent(scores[label] ?? scores[best]);
}

function leader(scores) {
  return Object.keys(scores).reduce((a, b) => (scores[b] > (scores[a] ?? 0) ? b : a), undefined);
}

function facesInView({ faces }) {
  if (!faces.length) return ""; // nobody; or, without vision_msgs, only the label is known
  if (faces.length === 1) return "One face in view";
  const each = faces.map((face) => `number ${face.id} ${face.label} ${percent(face.score)}`);
  return `${faces.length} faces in view: ${each.join("; ")}`;
}

function showScores(scores) {
  const labels = Object.keys(scores);
  for (const label of labels) if (!rows.has(label)) rows.set(label, addRow(label));
  at("scores-missing").hidden = rows.size > 0;
  at("scores").hidden = !rows.size;
  const best = leader(scores);
  for (const [label, row] of rows) {
    const score = scores[label] ?? 0;
    row.bar.style.width = `${100 * score}%`;
    setText(row.value, labels.length ? percent(score) : "–");
    row.row.classList.toggle("leading", label === best);
  }
}

function addRow(label) {
  const row = at("scores").tBodies[0].insertRow();
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = label;
  const cell = document.createElement("td");
  const line = document.createElement("div");
  line.className = "row";
  const track = document.createElement("span");
  track.className = "track";
  track.setAttribute("aria-hidden", "true");
  const bar = document.createElement("span");
  bar.className = "bar";
  bar.style.backgroundColor = info?.colours[label] ?? "#c8c8c8";
  const value = document.createElement("span");
  value.className = "value";
  track.append(bar);
  line.append(track, value);
  cell.append(line);
  row.append(head, cell);
  return { row, bar, value };
}

function showInfo(data) {
  const before = info;
  info = data;
  setText(at("source"), `Source: ${info.source}`);
  setText(at("problem"), info.problem);
  at("problem").hidden = !info.problem;
  setText(at("overlay-missing"), info.problem ? "No camera image" : "No camera image yet");
  minute.colours = info.colours;
  minute.labels = info.labels;
  photo.colours = info.colours;
  for (const [label, row] of rows) row.bar.style.backgroundColor = info.colours[label];
  if (JSON.stringify([before?.robots, before?.styles]) !== JSON.stringify([info.robots, info.styles])) {
    fill(at("choose-robot"), info.robots);
    fill(at("choose-style"), info.styles);
    chosen = "";
  }
  showDiagnostics(info.diagnostics);
  if (info.calibration) calibration.show(info.calibration);
}

function fill(select, names) {
  select.replaceChildren(...names.map((name) => new Option(name, name)));
}

// The lists follow the robot, but never under the hands of who is just choosing.
let chosen = "";
function followChoice() {
  if (!frame || !info) return;
  const now = `${frame.robot.name}\n${frame.robot.style}`;
  if (now === chosen || at("choice").contains(document.activeElement)) return;
  chosen = now;
  if (info.robots.includes(frame.robot.name)) at("choose-robot").value = frame.robot.name;
  if (info.styles.includes(frame.robot.style)) at("choose-style").value = frame.robot.style;
}

function showDiagnostics(diagnostics) {
  const words = { ok: "ok", warning: "warning", error: "error" };
  const wanted = diagnostics.map((d) => [d.level, `${d.name}, ${words[d.level]}: `, d.message]);
  const list = at("diagnostics");
  while (list.children.length > Math.max(1, wanted.length)) list.lastChild.remove();
  if (!wanted.length) wanted.push(["", "", "Nothing has reported yet."]);
  wanted.forEach(([level, name, message], k) => {
    let item = list.children[k];
    if (!item) {
      item = document.createElement("li");
      item.append(document.createElement("span"), document.createElement("span"));
      item.firstChild.className = "name";
      list.append(item);
    }
    if (item.className !== level) item.className = level;
    setText(item.firstChild, name);
    setText(item.lastChild, message);
  });
}

// Read out what is seen, not at each frame but when it has held for a while.
let heard = "";
let candidate = "";
let candidateSince = 0;
function announce() {
  if (!frame) return;
  const label = frame.label || NOBODY;
  const now = performance.now();
  if (label !== candidate) {
    candidate = label;
    candidateSince = now;
  }
  if (candidate === heard || now - candidateSince < ANNOUNCE_MS) return;
  heard = candidate;
  const answer = frame.robot.expression ? `; the robot shows ${frame.robot.expression}` : "";
  setText(at("announcement"), label === NOBODY ? "Nobody is seen" : `Person: ${label}${answer}`);
}

// The connection
let events = null;
let paused = false;

function connect() {
  disconnect();
  freshness.begin();
  events = new EventSource("/events");
  events.addEventListener("open", () => freshness.connected());
  events.addEventListener("error", () => {
    freshness.lost();
    showFreshness();
    // An answer other than a stream (too many browsers) ends the attempts of the browser itself.
    if (events?.readyState === EventSource.CLOSED) window.setTimeout(reconnect, 3000);
  });
  const on = (name, show) =>
    events.addEventListener(name, (event) => {
      freshness.heard();
      show(JSON.parse(event.data));
    });
  on("history", (points) => {
    minute.restart(points);
    setText(at("minute-text"), minute.inWords());
  });
  on("pulse", (pulse) => {
    freshness.pulse(pulse);
    showFreshness();
  });
  on("info", showInfo);
  on("frame", showFrame);
}

function reconnect() {
  if (!paused && !document.hidden) connect();
}

function disconnect() {
  events?.close();
  events = null;
}

// What is old looks old, and says how old it is: the last image and label stay to be looked at.
function showFreshness() {
  const { text, kind, old } = freshness.state();
  const chip = at("connection");
  setText(chip, text);
  chip.className = `chip ${kind}`;
  const age = freshness.age();
  const stale = old && age !== undefined;
  showLabel();
  document.body.classList.toggle("old", stale);
  document.body.classList.toggle("cut-off", info !== null && !freshness.hears());
  setText(at("age"), stale ? `as it was ${inWords(age)} ago` : "");
  return !old;
}

at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", String(paused));
  setText(at("pause"), paused ? "Go on" : "Pause");
  if (paused) {
    disconnect();
    freshness.paused = true;
    showFreshness();
  } else connect();
});

// A page that nobody sees asks for nothing; no image is then drawn for it.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    disconnect();
    overlay.forget();
  } else reconnect();
});

at("choice").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wanted = { robot: at("choose-robot").value, style: at("choose-style").value };
  setText(at("choice-answer"), "asking …");
  try {
    const response = await fetch("/choice", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(wanted),
    });
    const answer = await response.json();
    const good = `${answer.robot} answers now, style ${answer.style}`;
    setText(at("choice-answer"), response.ok ? good : `Not done: ${answer.error}`);
  } catch {
    setText(at("choice-answer"), "Not done: the server does not answer");
  }
});

window.setInterval(() => {
  if (document.hidden) return;
  const fresh = showFreshness();
  if (paused || !events || !fresh) return; // curves end where nothing is known any more
  minute.add(frame?.scores ?? {});
  announce();
  followChoice();
}, SAMPLE_MS);
window.setInterval(() => minute.draw(), calm.matches ? 1000 : SAMPLE_MS);
window.setInterval(() => setText(at("minute-text"), minute.inWords()), SAY_MINUTE_MS);

connect();
