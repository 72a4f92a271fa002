// Says how hard a new password would be to guess while it is typed. The server judges; the words are the server's too.
"use strict";

for (const place of document.querySelectorAll("[data-strength]")) {
  const form = place.closest("form");
  const input = form.querySelector("input[autocomplete=new-password]");
  const said = place.querySelector("p");
  let timer, asking;

  const show = (answer) => {
    place.hidden = !answer;
    place.dataset.score = answer ? answer.score : "";
    // Told again only where it is new: a screen reader speaks at each change.
    if (said.textContent !== (answer ? answer.words : "")) said.textContent = answer ? answer.words : "";
  };

  const ask = async () => {
    asking?.abort();
    asking = new AbortController();
    const username = form.querySelector("input[name=username]")?.value ?? "";
    try {
      const response = await fetch("/password-strength", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Form-Token": place.dataset.strength },
        body: JSON.stringify({ password: input.value, username }),
        signal: asking.signal,
      });
      show(response.ok ? await response.json() : null);
    } catch (error) {
      // Offline or asked anew: this is advice, and the form goes on without it.
      if (error.name !== "AbortError") show(null);
    }
  };

  input.addEventListener("input", () => {
    clearTimeout(timer);
    if (input.value) timer = setTimeout(ask, 300);
    else { asking?.abort(); show(null); }
  });
}
