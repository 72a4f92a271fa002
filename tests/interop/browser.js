// The person, played: pages are fetched, forms found in them and filled, cookies kept. Nothing is followed to the client's
// own address: the redirect that leads there is the answer.

export class Browser {
  cookies = new Map();

  constructor(plan) {
    this.person = plan.person;
    this.userAgent = plan.userAgent;
  }

  async fetch(address, options = {}) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { "User-Agent": this.userAgent, Accept: "text/html", ...(cookie && { Cookie: cookie }), ...options.headers };
    const answer = await fetch(address, { ...options, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/max-age=0|expires=thu, 01 jan 1970/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return answer;
  }

  // Goes on until the provider sends the browser away, filling each form with what the person knows.
  async walk(address) {
    const home = new URL(address).origin;
    let answer = await this.fetch(address);
    for (let turn = 0; turn < 20; turn++) {
      if (answer.status === 303 || answer.status === 302) {
        const next = new URL(answer.headers.get("location"), address);
        if (next.origin !== home) return next;
        address = next.href;
        answer = await this.fetch(address);
        continue;
      }
      const page = await answer.text();
      if (answer.status !== 200) throw new Error(`${answer.status} at ${address}: ${page.slice(0, 2000)}`);
      const form = /<form[^>]*action="([^"]+)"[^>]*>([\s\S]*?)<\/form>/.exec(page);
      if (!form) throw new Error(`no form at ${address}: ${page.slice(0, 2000)}`);
      const fields = new URLSearchParams();
      for (const [tag] of form[2].matchAll(/<input[^>]*>/g)) {
        const name = /name="([^"]+)"/.exec(tag)[1];
        fields.set(name, this.person[name] ?? /value="([^"]*)"/.exec(tag)?.[1] ?? "");
      }
      address = new URL(form[1], address).href;
      answer = await this.fetch(address, { method: "POST", body: fields });
    }
    throw new Error("the sign-in never ended");
  }
}
