// Comfort only: every page works without this script. Shows what was typed, tells of Caps Lock, and marks a form under way.
"use strict";

for (const button of document.querySelectorAll(".reveal")) {
  const inputs = button.getAttribute("aria-controls").split(" ").map((id) => document.getElementById(id));
  const show = (shown) => {
    button.setAttribute("aria-pressed", String(shown));
    for (const input of inputs) input.type = shown ? "text" : "password";
  };
  button.hidden = false;
  button.addEventListener("click", () => show(button.getAttribute("aria-pressed") !== "true"));
  // A secret left in sight must not be kept by the browser as ordinary text.
  button.form.addEventListener("submit", () => show(false));
}

for (const note of document.querySelectorAll("[data-caps]")) {
  const input = document.getElementById(note.dataset.caps);
  const look = (event) => { note.hidden = !event.getModifierState?.("CapsLock"); };
  input.addEventListener("keydown", look);
  input.addEventListener("keyup", look);
  input.addEventListener("blur", () => { note.hidden = true; });
}

for (const input of document.querySelectorAll(".digits")) {
  input.addEventListener("paste", (event) => {
    const digits = event.clipboardData.getData("text").replace(/[\s-]/g, "");
    if (!/^[0-9]+$/.test(digits)) return;
    event.preventDefault();
    input.setRangeText(digits, input.selectionStart, input.selectionEnd, "end");
  });
}

for (const form of document.querySelectorAll("form[data-busy]")) {
  const status = document.createElement("p");
  status.className = "unseen";
  status.setAttribute("role", "status");
  form.append(status);
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
    status.textContent = form.dataset.busy;
    // Not before the form's values were taken: a disabled button would not be sent.
    setTimeout(() => { for (const button of form.querySelectorAll("[type=submit]")) button.disabled = true; });
  });
  // Back from the browser's memory: as it was.
  addEventListener("pageshow", () => {
    delete form.dataset.sent;
    status.textContent = "";
    for (const button of form.querySelectorAll("[type=submit]")) { button.disabled = false; button.removeAttribute("aria-busy"); }
  });
}
