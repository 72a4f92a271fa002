// Tells before a session ends, in every tab alike. The house is asked first, by a question that is no activity; tabs only
// tell each other that there is something to ask. Portals load it too, with a dialog of their own: see docs/session.md.
"use strict";

{
  const tabs = "BroadcastChannel" in window ? new BroadcastChannel("session") : null;
  const dialog = document.getElementById("watch");
  const LONGEST = 3600000;
  const AGAIN = 5000;

  const watch = () => {
    const own = (name) => dialog.querySelectorAll(`[data-${name}]`);
    const [count] = own("left"), [said] = own("say"), [stays] = own("stay"), [closes] = own("close");
    let ends, warns, absolute, timer, ticking, understood = false;

    const later = (moment) => {
      clearTimeout(timer);
      timer = setTimeout(ask, Math.min(Math.max(moment - Date.now(), 0) + 250, LONGEST));
    };
    const hear = (status) => {
      ends = Date.now() + status.ends_in * 1000;
      warns = Date.now() + status.warn_in * 1000;
      absolute = status.absolute;
      const near = Date.now() >= warns;
      for (const part of own("idle")) part.hidden = absolute;
      for (const part of own("absolute")) part.hidden = !absolute;
      if (near && !dialog.open && !understood) show();
      if (!near && dialog.open) dialog.close();
      understood &&= near;
      // While it is told, somebody may answer at another origin, whose tabs are not heard here.
      if (near) later(document.hidden ? ends : Math.min(ends, Date.now() + AGAIN)); else later(warns);
    };
    const show = () => {
      said.textContent = "";
      dialog.showModal();
      clearInterval(ticking);
      ticking = setInterval(tick, 1000);
      tick();
    };
    const tick = () => {
      const left = Math.max(0, Math.round((ends - Date.now()) / 1000));
      count.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
      if (left === 60) said.textContent = said.dataset.minute;
      if (left === 30) said.textContent = said.dataset.half;
    };
    const ask = async (how) => {
      try {
        const answer = await fetch(dialog.dataset.ask, { cache: "no-store", credentials: "include", ...how });
        if (!answer.ok) throw new Error(answer.status);
        const status = await answer.json();
        if (status.signed_in) hear(status); else location.replace(dialog.dataset.over);
      } catch {
        if (how) { ask(); return; }
        // Not to be reached just now: warned all the same, and asked again.
        if (warns && Date.now() >= warns && !dialog.open && !understood) show();
        later(Date.now() + AGAIN);
      }
    };
    const stay = async () => {
      const { token, renew } = dialog.dataset;
      if (renew) { location.assign(renew); return; }
      const headers = token ? { "X-Form-Token": token } : { "Content-Type": "application/json" };
      await ask({ method: "POST", headers, body: token ? null : "{}" });
      tabs?.postMessage("moved");
    };
    const leave = () => { understood = true; dialog.close(); };

    // Said by the page where no script runs.
    document.getElementById("until")?.setAttribute("hidden", "");
    stays.addEventListener("click", stay);
    closes?.addEventListener("click", leave);
    // Escape is a sign of life too.
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); if (absolute) leave(); else stay(); });
    dialog.addEventListener("close", () => clearInterval(ticking));
    tabs?.addEventListener("message", () => ask());
    addEventListener("pageshow", (event) => { if (event.persisted) ask(); });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
    const { endsIn, warnIn } = dialog.dataset;
    // A portal's page does not know it yet.
    if (endsIn === undefined) ask();
    else hear({ ends_in: Number(endsIn), warn_in: Number(warnIn), absolute: dialog.dataset.absolute === "yes" });
  };

  // Every page is activity or the end of it: the other tabs may want to know.
  tabs?.postMessage("moved");
  if (dialog) watch();
}
