// An app in a browser, made with oidc-client-ts: it begins, or finishes what it began, and tells what it has on the window.

const { IndexedDbDPoPStore, UserManager } = oidc;
const here = `${location.origin}/`;
const told = { dpop: new URLSearchParams(location.hash.slice(1)).has("dpop") || sessionStorage.getItem("dpop") !== null };
if (told.dpop) sessionStorage.setItem("dpop", "yes");
const manager = new UserManager({
  authority: window.issuer,
  client_id: "spa",
  redirect_uri: here,
  post_logout_redirect_uri: `${here}bye`,
  scope: "openid profile email offline_access",
  // The library asks userinfo as a bearer, whatever the token: with a proof the app asks itself.
  loadUserInfo: !told.dpop,
  automaticSilentRenew: false,
  ...(told.dpop && { dpop: { bind_authorization_code: true, store: new IndexedDbDPoPStore() } }),
});

async function userinfo(user, nonce) {
  const address = await manager.metadataService.getUserInfoEndpoint();
  const proof = await manager.dpopProof(address, user, "GET", nonce);
  const answer = await fetch(address, { headers: { Authorization: `DPoP ${user.access_token}`, DPoP: proof } });
  if (answer.ok) return answer.json();
  const wanted = answer.headers.get("DPoP-Nonce");
  if (nonce || !wanted) throw new Error(answer.headers.get("WWW-Authenticate"));
  return userinfo(user, wanted);
}

async function live() {
  if (location.pathname === "/bye") return (await manager.signoutCallback(), { signedOut: true });
  if (!new URLSearchParams(location.search).has("code")) return manager.signinRedirect({ nonce: crypto.randomUUID() });
  const first = await manager.signinCallback();
  const person = told.dpop ? await userinfo(first) : first.profile;
  const second = await manager.signinSilent();
  return { first: { ...first }, second: { ...second }, person };
}

window.signOut = () => manager.signoutRedirect();
live().then((known) => (window.told = known ?? null), (error) => (window.told = { error: String(error) }));
