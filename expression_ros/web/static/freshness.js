// Whether what the page shows is of now, by the page's own clock, and what to say if it is not.

export const OLD_MS = 2000; // from here on the page says that what it shows is old

const SILENT = {
  camera: "no image from the camera",
  recognizer: "the recognizer is silent",
};

export class Freshness {
  constructor() {
    this.begin();
  }

  // A connection is made: nothing is known of it yet.
  begin() {
    this.open = false;
    this.paused = false;
    this.heardAt = performance.now();
  }

  connected() {
    this.open = true;
    this.heardAt = performance.now();
  }

  lost() {
    this.open = false;
    this.wasLost = true;
  }

  // The server says how old its newest frame is: {age: seconds or null, silent: who}.
  pulse({ age, silent }) {
    this.wasLost = false;
    this.heard();
    this.readAt = age === null ? undefined : performance.now() - 1000 * age;
    this.silent = silent;
  }

  heard() {
    this.heardAt = performance.now();
  }

  // Milliseconds since the newest frame was read; undefined before the first.
  age() {
    return this.readAt === undefined ? undefined : performance.now() - this.readAt;
  }

  // Whether the server lives: what it tells of the robot is then of now, whatever the camera does.
  hears() {
    return this.open && !this.paused && performance.now() - this.heardAt <= OLD_MS;
  }

  // {text, kind, old}: what the chip says, its class, and whether what is shown is old.
  state() {
    const age = this.age();
    const old = age === undefined || age > OLD_MS;
    if (this.paused) return { text: "paused", kind: "", old: true };
    if (!this.open) {
      const text = this.wasLost ? "the connection is lost; trying again" : "connecting";
      return { text, kind: this.wasLost ? "lost" : "", old };
    }
    if (!this.hears()) return { text: "the server is silent", kind: "lost", old: true };
    if (old) return { text: SILENT[this.silent], kind: "lost", old };
    return { text: "live", kind: "live", old };
  }
}

export function inWords(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}
