// Passkeys: asks the browser for one and sends what it answers. Without this script the forms for it stay hidden.
"use strict";

(() => {
  const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (keys) => keys?.map((key) => ({ ...key, id: toBytes(key.id) }));

  // The options as browsers take them: texts of ours are bytes of theirs.
  const understood = (options) => ({
    ...options,
    challenge: toBytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: toBytes(options.user.id) } }),
    ...(options.allowCredentials && { allowCredentials: named(options.allowCredentials) }),
    ...(options.excludeCredentials && { excludeCredentials: named(options.excludeCredentials) }),
  });

  const told = ({ id, rawId, type, response }) => {
    const parts = { clientDataJSON: toText(response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (response[name]) parts[name] = toText(response[name]);
    }
    return JSON.stringify({ id, rawId: toText(rawId), type, response: parts });
  };

  for (const link of document.querySelectorAll("[data-passkeys]")) link.hidden = !window.PublicKeyCredential;

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!window.PublicKeyCredential) continue;
    const note = (name, shown) => { form.querySelector(`[data-${name}]`).hidden = !shown; };
    const button = form.querySelector("button");
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      note("stopped", false);
      note("known", false);
      button.disabled = true;
      try {
        const publicKey = understood(JSON.parse(form.dataset.options));
        const made = await navigator.credentials[form.dataset.passkey]({ publicKey });
        form.elements.passkey.value = told(made);
        form.submit();
      } catch (error) {
        note(error.name === "InvalidStateError" ? "known" : "stopped", true);
        button.disabled = false;
      }
    });
    addEventListener("pageshow", () => { button.disabled = false; });
  }
})();
