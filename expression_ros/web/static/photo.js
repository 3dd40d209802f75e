// A photo that is dropped or chosen: sent to be read, shown with what was found.

const MOST_BYTES = 10 * 1024 * 1024;
const at = (id) => document.getElementById(id);

export class PhotoReading {
  constructor() {
    this.colours = {};
    this.turn = 0;
    const input = at("photo-file");
    input.addEventListener("change", () => this.read(input.files[0]));
    // Anywhere on the page: a photo dropped beside the field would otherwise replace the page.
    const drop = at("drop");
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    document.addEventListener("dragleave", (event) => {
      if (!event.relatedTarget) drop.classList.remove("over");
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.read(event.dataTransfer.files[0]);
    });
  }

  async read(file) {
    if (!file) return;
    const turn = ++this.turn; // an answer that comes after the next photo was sent is passed over
    this.clear();
    if (file.size > MOST_BYTES) return this.say("Not read: a photo may have 10 MB at most.");
    this.say("reading …");
    let answer;
    try {
      const response = await fetch("/photo", {
        method: "POST",
        headers: { "Content-Type": file.type || "application/octet-stream" },
        body: file,
      });
      answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
    } catch (error) {
      if (turn === this.turn) this.say(`Not read: ${error.message || "the server does not answer"}`);
      return;
    }
    if (turn !== this.turn) return;
    const count = answer.faces.length;
    this.say(count ? `${count} face${count === 1 ? "" : "s"} found` : "No face found");
    this.list(answer.faces);
    await this.show(file, answer, turn);
    at("photo-file").value = "";
  }

  say(text) {
    at("photo-answer").textContent = text;
  }

  clear() {
    at("photo").hidden = true;
    at("photo-faces").replaceChildren();
  }

  list(faces) {
    const items = faces.map((face) => {
      const item = document.createElement("li");
      const all = Object.entries(face.scores).sort((a, b) => b[1] - a[1]);
      const most = all.filter(([, score], k) => k === 0 || (k < 3 && score >= 0.01));
      const words = most.map(([label, score]) => `${label} ${Math.round(100 * score)} %`);
      item.textContent = words.join(", ");
      return item;
    });
    at("photo-faces").replaceChildren(...items);
  }

  async show(file, answer, turn) {
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      return; // the browser cannot show what the server could read
    }
    if (turn !== this.turn) return;
    const canvas = at("photo");
    const scale = Math.min(1, 1280 / bitmap.width);
    canvas.width = Math.round(bitmap.width * scale);
    canvas.height = Math.round(bitmap.height * scale);
    const pen = canvas.getContext("2d");
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const ratio = canvas.width / answer.width;
    const line = Math.max(3, canvas.width / 200);
    const size = Math.max(16, canvas.width / 28);
    pen.font = `bold ${size}px system-ui, sans-serif`;
    const written = [];
    answer.faces.forEach((face, k) => {
      const [x, y, w, h] = face.box.map((value) => value * ratio);
      const colour = this.colours[face.label] ?? "#c8c8c8";
      pen.lineWidth = line + 3;
      pen.strokeStyle = "#191c21";
      pen.strokeRect(x, y, w, h);
      pen.lineWidth = line;
      pen.strokeStyle = colour;
      pen.strokeRect(x, y, w, h);
      const high = 1.4 * size;
      const top = y > high ? y - high : y + h;
      const place = (text) => {
        const wide = pen.measureText(text).width + size;
        return { text, wide, left: Math.max(0, Math.min(x, canvas.width - wide)) };
      };
      const hides = ({ left, wide }) =>
        written.some((r) => left < r.left + r.wide && r.left < left + wide && Math.abs(top - r.top) < high);
      // Where another name is in the way the number must do; the list has the rest.
      let title = place(`${k + 1} ${face.label}`);
      if (hides(title)) title = place(`${k + 1}`);
      written.push({ ...title, top });
      pen.fillStyle = "#191c21";
      pen.fillRect(title.left, top, title.wide, high);
      pen.fillStyle = colour;
      pen.fillText(title.text, title.left + size / 2, top + size * 1.05);
    });
    canvas.hidden = false;
  }
}
