// A relying party of the FAPI 2.0 Security Profile, made with openid-client: pushed requests, a key of its own instead of a
// secret, tokens that are worth nothing without another key.
//
//     node strict_party.js < plan.json

import * as client from "openid-client";

import { Browser } from "./browser.js";

const plan = JSON.parse(await new Response(process.stdin).text());
const report = {};
const algorithm = { name: "ECDSA", namedCurve: "P-256" };
const key = await crypto.subtle.importKey("jwk", plan.key, algorithm, false, ["sign"]);
const execute = [client.allowInsecureRequests];
const said = { id_token_signed_response_alg: "ES256" };
const proof = client.PrivateKeyJwt({ key, kid: plan.key.kid });
const config = await client.discovery(new URL(plan.issuer), plan.clientId, said, proof, { execute });
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));

async function refused(promise) {
  try {
    await promise;
  } catch (error) {
    return error.error ?? error.code ?? String(error);
  }
  return null;
}

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
const parameters = {
  redirect_uri: plan.redirectUri,
  scope: plan.scope,
  state,
  nonce,
  code_challenge: await client.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
};
const browser = new Browser(plan);
const address = await client.buildAuthorizationUrlWithPAR(config, parameters, { DPoP });
report.asked = [...address.searchParams.keys()].sort();
const back = await browser.walk(address.href);
report.answered = [...back.searchParams.keys()].sort();
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };
const first = await client.authorizationCodeGrant(config, back, checks, { resource: plan.issuer }, { DPoP });
report.first = { ...first };
report.claims = first.claims();

report.userinfo = await client.fetchUserInfo(config, first.access_token, report.claims.sub, { DPoP });
// Whoever has the token and not the key.
const others = client.getDPoPHandle(config, await client.randomDPoPKeyPair("ES256"));
report.stolen = await refused(client.fetchUserInfo(config, first.access_token, report.claims.sub, { DPoP: others }));
report.asBearer = await refused(client.fetchUserInfo(config, first.access_token, report.claims.sub));

report.second = { ...(await client.refreshTokenGrant(config, first.refresh_token, { resource: plan.resource }, { DPoP })) };
report.unproven = await refused(client.refreshTokenGrant(config, report.second.refresh_token));

// The same request in the address is none.
const unpushed = await browser.fetch(client.buildAuthorizationUrl(config, parameters).href);
report.unpushed = new URL(unpushed.headers.get("location")).searchParams.get("error");

process.stdout.write(JSON.stringify(report));
