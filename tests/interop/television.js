// A device without a keyboard, made with openid-client: it shows a code, and fetches its tokens once it hears that its
// person has answered.
//
//     node television.js      (a line with the plan, later an empty one)

import { createInterface } from "node:readline";

import * as client from "openid-client";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const plan = JSON.parse((await lines.next()).value);
const tell = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);
const execute = [client.allowInsecureRequests];
const config = await client.discovery(new URL(plan.issuer), plan.clientId, undefined, client.None(), { execute });
const shown = await client.initiateDeviceAuthorization(config, { scope: plan.scope, resource: plan.resource });
tell(shown);
await lines.next();
const tokens = await client.pollDeviceAuthorizationGrant(config, { ...shown, interval: 0 });
const fresh = await client.refreshTokenGrant(config, tokens.refresh_token, { resource: plan.issuer });
const sub = tokens.claims().sub;
tell({ first: tokens, sub, userinfo: await client.fetchUserInfo(config, fresh.access_token, sub) });
