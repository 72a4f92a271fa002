// A relying party made with openid-client, an independent implementation: every step of a client's life, told as JSON.
//
//     node relying_party.js < plan.json

import * as client from "openid-client";

import { Browser } from "./browser.js";

const plan = JSON.parse(await new Response(process.stdin).text());
const report = {};

async function discovered(id, authentication) {
  return client.discovery(new URL(plan.issuer), id, undefined, authentication, { execute: [client.allowInsecureRequests] });
}

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error.error ?? error.code ?? String(error);
  }
  return null;
}

async function signIn(config, browser, more = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const parameters = new URLSearchParams({
    redirect_uri: plan.redirectUri,
    scope: plan.scope,
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...more,
  });
  for (const resource of plan.resources) parameters.append("resource", resource);
  const back = await browser.walk(client.buildAuthorizationUrl(config, parameters).href);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
  const tokens = await client.authorizationCodeGrant(config, back, checks, { resource: plan.resources[0] });
  return { tokens, nonce, back };
}

const browser = new Browser(plan);
const authentication = plan.clientSecret ? client.ClientSecretBasic(plan.clientSecret) : client.None();
const config = await discovered(plan.clientId, authentication);
report.metadata = config.serverMetadata();
report.supportsPKCE = config.serverMetadata().supportsPKCE();

const first = await signIn(config, browser);
report.nonce = first.nonce;
report.parameters = [...first.back.searchParams.keys()].sort();
report.first = { ...first.tokens };
report.claims = first.tokens.claims();

report.second = { ...(await client.refreshTokenGrant(config, first.tokens.refresh_token, { resource: plan.resources[1] })) };
report.people = { ...(await client.refreshTokenGrant(config, report.second.refresh_token, { resource: plan.issuer })) };
report.userinfo = await client.fetchUserInfo(config, report.people.access_token, report.claims.sub);

const backend = await discovered(plan.backend.id, client.ClientSecretBasic(plan.backend.secret));
report.introspected = await client.tokenIntrospection(backend, report.first.access_token);
report.foreign = await client.tokenIntrospection(backend, report.second.access_token);
const exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
const shown = {
  subject_token: report.first.access_token,
  subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
  resource: plan.resources[1],
};
report.exchanged = { ...(await client.genericGrantRequest(backend, exchange, shown)) };
report.itself = { ...(await client.clientCredentialsGrant(backend, { scope: plan.backend.scope })) };

// Silent renewal: the session at the provider is still there.
report.silent = (await signIn(config, browser, { prompt: "none" })).tokens.claims();

if (plan.clientSecret) {
  report.introspectedRefresh = await client.tokenIntrospection(config, report.people.refresh_token);
}
await client.tokenRevocation(config, report.people.refresh_token);
report.afterRevocation = await client.tokenIntrospection(backend, report.first.access_token);
report.refreshAfterRevocation = await refused(client.refreshTokenGrant(config, report.people.refresh_token));

const goodbye = client.randomState();
const farewell = await browser.walk(
  client.buildEndSessionUrl(config, {
    id_token_hint: report.first.id_token,
    post_logout_redirect_uri: plan.postLogoutRedirectUri,
    state: goodbye,
  }).href,
);
report.signedOut = { address: farewell.origin + farewell.pathname, stateKept: farewell.searchParams.get("state") === goodbye };
report.afterSignOut = await refused(signIn(config, browser, { prompt: "none" }));

process.stdout.write(JSON.stringify(report));
