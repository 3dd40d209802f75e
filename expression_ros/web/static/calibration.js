// The calibration of a person: shows what the server asks for, and sends what the person wants.

const at = (id) => document.getElementById(id);
const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

export class CalibrationDialogue {
  constructor() {
    this.step = "idle";
    this.asked = "";
    this.persons = "";
    this.used = "";
    this.told = ""; // the server's message, said once
    at("calibration-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const again = at("calibration-again").checked;
      this.send({ do: "start", name: at("calibration-name").value, again });
    });
    at("calibration-skip").addEventListener("click", () => this.send({ do: "skip" }));
    at("calibration-cancel").addEventListener("click", () => this.send({ do: "cancel" }));
    at("persons").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send({ do: "use", name: at("choose-person").value });
    });
    at("person-forget").addEventListener("click", () => this.forget());
    at("choose-person").addEventListener("change", () => this.enable());
  }

  // What the server tells, at each change
  show(view) {
    const asking = view.step === "asking";
    const idle = view.step === "idle";
    const was = this.step;
    this.step = view.step;
    const held = at("calibration-section").contains(document.activeElement);
    at("calibration-form").hidden = !idle;
    at("calibration-dialogue").hidden = !asking;
    if (asking) this.ask(view);
    else this.asked = "";
    if (view.step === "computing") this.say(`Learning ${view.name}'s face …`);
    else if (asking) this.say("");
    else if (view.message !== this.told || was !== "idle") this.say(view.message);
    this.told = view.message;
    this.showResult(idle ? view.result : null);
    this.showPersons(view, idle);
    // The focus stays with what is asked, for those who use the keyboard.
    if (held && asking && was === "idle") at("calibration-skip").focus();
    if (held && idle && was !== "idle") at("calibration-name").focus();
  }

  ask(view) {
    const question = `Show ${view.emotion}: ${view.hint} (${view.number} of ${view.of})`;
    if (question !== this.asked) {
      this.asked = question;
      setText(at("calibration-question"), question);
      at("calibration-example").src = `/example/${view.emotion}`;
      at("calibration-example").alt = `A drawn face that shows ${view.emotion}`;
    }
    const progress = at("calibration-progress");
    progress.max = view.frames;
    progress.value = view.taken;
    setText(at("calibration-taken"), `${view.taken} of ${view.frames}`);
    setText(at("calibration-advice"), view.advice ? `Please ${view.advice}.` : "");
  }

  showResult(result) {
    const table = at("calibration-result");
    table.hidden = !result;
    const now = JSON.stringify(result);
    if (!result || table.dataset.shown === now) return;
    table.dataset.shown = now;
    const rows = result.rows.map((row) => {
      const line = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = row.label;
      line.append(head);
      for (const key of ["faces", "before", "after"]) line.insertCell().textContent = row[key];
      return line;
    });
    table.tBodies[0].replaceChildren(...rows);
  }

  showPersons(view, idle) {
    const { persons, in_use: used, can_use: usable } = view;
    at("persons").hidden = !idle || !persons.length;
    const now = JSON.stringify([persons, used, usable]);
    if (now === this.persons) return;
    this.persons = now;
    const before = used === this.used ? at("choose-person").value : used;
    this.used = used;
    const options = persons.map((name) => new Option(name, name));
    if (usable) options.unshift(new Option("anybody", ""));
    at("choose-person").replaceChildren(...options);
    at("choose-person").value = persons.includes(before) ? before : used;
    if (at("choose-person").selectedIndex < 0) at("choose-person").selectedIndex = 0;
    setText(at("person-in-use"), usable ? `Read as: ${used || "anybody"}` : "");
    this.enable();
  }

  enable() {
    at("person-forget").disabled = !at("choose-person").value;
  }

  async forget() {
    const name = at("choose-person").value;
    if (name && window.confirm(`Forget all that is kept of ${name}?`))
      await this.send({ do: "forget", name });
  }

  async send(wanted) {
    try {
      const response = await fetch("/calibration", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(wanted),
      });
      if (!response.ok) this.say((await response.json()).error);
      else if (wanted.do === "use") this.say(wanted.name ? `Read as ${wanted.name} from now on.` : "Read as anybody.");
    } catch {
      this.say("Not done: the server does not answer.");
    }
  }

  say(text) {
    setText(at("calibration-answer"), text);
  }
}
