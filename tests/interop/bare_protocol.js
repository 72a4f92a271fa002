// The same protocol by oauth4webapi, which leaves each message to its user and checks each answer to the letter.
//
//     node bare_protocol.js < plan.json

import * as oauth from "oauth4webapi";

import { Browser } from "./browser.js";

const plan = JSON.parse(await new Response(process.stdin).text());
const report = {};
const insecure = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(plan.issuer);
const found = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
const server = await oauth.processDiscoveryResponse(issuer, found);
const client = { client_id: plan.clientId, id_token_signed_response_alg: plan.idTokenAlg };
const proof = plan.clientSecret ? oauth.ClientSecretBasic(plan.clientSecret) : oauth.None();

const verifier = oauth.generateRandomCodeVerifier();
const state = oauth.generateRandomState();
const nonce = oauth.generateRandomNonce();
const address = new URL(server.authorization_endpoint);
address.search = new URLSearchParams({
  response_type: "code",
  client_id: plan.clientId,
  redirect_uri: plan.redirectUri,
  scope: plan.scope,
  state,
  nonce,
  max_age: "300",
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: "S256",
});
for (const resource of plan.resources) address.searchParams.append("resource", resource);

const back = await new Browser(plan).walk(address.href);
const checked = oauth.validateAuthResponse(server, client, back, state);
const additionalParameters = { resource: plan.issuer };
const answer = await oauth.authorizationCodeGrantRequest(server, client, proof, checked, plan.redirectUri, verifier, {
  additionalParameters,
  ...insecure,
});
const expected = { expectedNonce: nonce, maxAge: 300, requireIdToken: true };
report.first = await oauth.processAuthorizationCodeResponse(server, client, answer, expected);
await oauth.validateApplicationLevelSignature(server, answer, insecure);
const claims = oauth.getValidatedIdTokenClaims(report.first);
report.claims = claims;

const userinfo = await oauth.userInfoRequest(server, client, report.first.access_token, insecure);
report.userinfo = await oauth.processUserInfoResponse(server, client, claims.sub, userinfo);

const again = await oauth.refreshTokenGrantRequest(server, client, proof, report.first.refresh_token, {
  additionalParameters: { resource: plan.resources[0] },
  ...insecure,
});
report.second = await oauth.processRefreshTokenResponse(server, client, again);

// The backend's side, by the same library.
const headers = { Authorization: `Bearer ${report.second.access_token}` };
const call = new Request(plan.resources[0], { headers });
report.accepted = await oauth.validateJwtAccessToken(server, call, plan.resources[0], insecure);
const elsewhere = oauth.validateJwtAccessToken(server, call, plan.resources[1], insecure);
report.elsewhere = await elsewhere.then(() => "accepted", () => "refused");

const ended = await oauth.revocationRequest(server, client, proof, report.second.refresh_token, insecure);
await oauth.processRevocationResponse(ended);
const late = await oauth.refreshTokenGrantRequest(server, client, proof, report.second.refresh_token, insecure);
report.late = await oauth.processRefreshTokenResponse(server, client, late).then(() => null, (error) => error.error);

process.stdout.write(JSON.stringify(report));
