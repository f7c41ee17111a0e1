// The web snippet of Scorer. docs/snippet.md says how a page uses it.
//
// What is served is this file without its comments and indentation, so that what is reviewed is what runs:
// a comment has lines of its own, and no text or expression may depend on a line's first blanks.
// ES2017, no dependencies. It never throws into the page.
//
// What is kept in localStorage, each name behind "scorer.":
//   id       the visitor's anonymous id, random
//   user     the id by which the site identified the visitor
//   consent  "1" given, "0" withdrawn where it had not to be asked for
//   q...     one event each, by its own id, which begins with its time; deleted when it was acknowledged
//   wait     when the collector may be asked again (ms since 1970), for all tabs
//   tries    failures in a row
(function (w, d, n) {
  "use strict";
  const script = d.currentScript || d.querySelector("script[data-key][src*='scorer.js']");
  const early = w.scorer;
  if (!script || !script.dataset.key || (early && early.track)) return;
  const set = script.dataset;
  const url = set.url || script.src.split("?")[0].replace(/[^/]*$/, "snippet");

  // -- storage: the disk, or memory where the disk is forbidden or full ------------------------------

  const memory = {};
  const get = (name) => {
    if (name in memory) return memory[name];
    try {
      return w.localStorage.getItem("scorer." + name) || undefined;
    } catch (e) {}
  };
  const put = (name, value) => {
    try {
      w.localStorage.setItem("scorer." + name, value);
      delete memory[name];
    } catch (e) {
      memory[name] = "" + value;
    }
  };
  const drop = (name) => {
    delete memory[name];
    try {
      w.localStorage.removeItem("scorer." + name);
    } catch (e) {}
  };
  const names = () => {
    let all = Object.keys(memory);
    try {
      all = all.concat(
        Object.keys(w.localStorage)
          .filter((name) => name.startsWith("scorer."))
          .map((name) => name.slice(7))
      );
    } catch (e) {}
    return all;
  };
  const queue = () => names().filter((name) => name[0] === "q").sort();

  // -- consent: nothing is stored or sent without it --------------------------------------------------

  const asked = set.consent === "required";
  const allowed = () => !n.globalPrivacyControl && (get("consent") || (asked ? "0" : "1")) === "1";
  let aborter, pending;
  const wipe = () => names().forEach((name) => (name === "consent" && get(name) === "0") || drop(name));
  const consent = (given) => {
    if (given === true) {
      if (n.globalPrivacyControl) return;
      if (get("consent") !== "1") put("consent", "1");
      // Who is signed in and the page that is shown are still so; what was done before is not told.
      if (pending) identify(...pending);
      view();
      later(0);
    } else {
      if (aborter) aborter.abort();
      drop("consent");
      if (!asked) put("consent", "0");
      wipe();
      seen = undefined;
    }
  };

  // -- events: each has its own id for good, so that a retry is the same event ------------------------

  const random = (size) =>
    Array.from(w.crypto.getRandomValues(new Uint8Array(size)), (byte) => (byte + 256).toString(16).slice(1)).join("");
  const visitor = () => {
    if (!get("id")) put("id", random(16));
    return get("id");
  };
  let count = 0;
  const where = () => location.pathname + (/^#[!/]/.test(location.hash) ? location.hash.split("?")[0] : "");
  const add = (type, more) => {
    if (!allowed()) return;
    const time = Date.now();
    const id = time.toString(36) + "-" + (46656 + (count++ % 46656)).toString(36).slice(1) + "-" + random(8);
    const base = { id, type, time, anonymousId: visitor(), userId: get("user"), path: where().slice(0, 1000) };
    // Half of a pair, where a text was cut, is no text for others.
    const text = JSON.stringify(Object.assign(base, more)).replace(/\\(ud[89a-f]..|.)/gi, (all, one) =>
      one[1] ? "\ufffd" : all
    );
    if (text.length > 8000) throw Error("event too large");
    put("q" + id, text);
    const all = queue();
    while (all.length > 250) drop(all.shift());
    later(200);
  };

  let seen, shown;
  const page = (properties) => {
    const utm = {};
    new URLSearchParams(location.search).forEach((value, name) => {
      if (/^utm_(source|medium|campaign|term|content)$/.test(name)) utm[name.slice(4)] = value.slice(0, 200);
    });
    const from = shown ? "" : d.referrer.split(/[?#]/)[0].slice(0, 1000);
    const referrer = from.startsWith(location.origin + "/") ? "" : from;
    add("page", { title: d.title.slice(0, 300), host: location.host, referrer, utm, properties });
    if (allowed()) shown = true;
  };
  const view = () => {
    if (set.page === "off" || seen === where() || !allowed()) return;
    seen = where();
    page();
  };

  const identify = (user, traits) => {
    if (user && typeof user === "object") {
      traits = user;
      user = undefined;
    }
    if (Number.isSafeInteger(user)) user = "" + user;
    if (user && typeof user !== "string") throw Error("a user id is text");
    pending = [user, traits];
    if (!allowed()) return;
    pending = undefined;
    if (user) {
      // Another person at the same computer is another visitor.
      if (get("user") && get("user") !== user) drop("id");
      put("user", user);
    }
    add("identify", { traits });
  };
  const reset = () => {
    pending = undefined;
    drop("id");
    drop("user");
  };
  const track = (name, properties) => add("track", { name: "" + name, properties });

  // -- forms: only those marked with data-scorer-form -------------------------------------------------

  const form = (name, fields, traits, email) => add("form", { form: "" + name, fields, traits, email });
  const untold = /^(password|hidden|file|submit|button|image|reset|textarea|fieldset|output|object)$/;
  const secret = /pass|pwd|card|cc-|cvc|cvv|csc|iban|secret|token|ssn/i;
  const submitted = (element) => {
    const fields = {};
    const traits = {};
    let email;
    for (const one of element.elements) {
      const kind = one.type;
      let value = one.value;
      if (
        !one.name ||
        typeof value !== "string" ||
        one.disabled ||
        untold.test(kind) ||
        secret.test([one.name, one.id, one.getAttribute("autocomplete")]) ||
        one.closest("[data-scorer-skip]") ||
        ((kind === "radio" || kind === "checkbox") && !one.checked) ||
        /\d{13}/.test(value.replace(/[ .-]/g, ""))
      )
        continue;
      if (kind === "email") {
        email = email || value;
        continue;
      }
      if (kind === "checkbox" && value === "on") value = true;
      else if (kind === "select-multiple") value = Array.from(one.selectedOptions, (option) => option.value);
      else if (kind === "number" || kind === "range") value = one.valueAsNumber;
      else value = value.slice(0, 250);
      fields[one.name] = value;
      if ("scorerTrait" in one.dataset) traits[one.dataset.scorerTrait || one.name] = value;
    }
    form(element.dataset.scorerForm || element.getAttribute("id") || "form", fields, traits, email);
  };

  // -- sending: one tab at a time, oldest first, until the collector says that it has them -------------

  let timer, busy;
  let most = 50;
  let sending = [];
  const later = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(flush, ms);
  };
  const waits = () => {
    const ms = get("wait") - Date.now();
    return ms > 0 && ms <= 36e5 ? ms : 0;
  };
  // Browsers take 64 KB on leave, all tabs of a site together.
  const pack = (without) => {
    let size = 0;
    const found = [];
    for (const name of queue()) {
      if (without.includes(name)) continue;
      size += new Blob([get(name) || ""]).size;
      if (found.length && (found.length >= most || size > 6e4)) break;
      found.push(name);
    }
    return found;
  };
  const body = (packed) =>
    '{"key":' + JSON.stringify(set.key) + ',"sentAt":' + Date.now() + ',"batch":[' + packed.map(get).filter(Boolean) + "]}";
  const send = async () => {
    if (waits() || !allowed()) return;
    sending = pack([]);
    if (!sending.length) return;
    aborter = new AbortController();
    const limit = setTimeout(() => aborter.abort(), 1e4);
    let status, header;
    try {
      const options = { method: "POST", body: body(sending), keepalive: true, credentials: "omit", signal: aborter.signal };
      const answer = await fetch(url, options);
      status = answer.status;
      header = answer.headers.get("Retry-After");
    } catch (e) {}
    clearTimeout(limit);
    const sent = sending;
    sending = [];
    if (!allowed()) return;
    const taken = status >= 200 && status < 300;
    const refused = status === 400 || status === 413;
    if (taken || (refused && sent.length === 1)) {
      sent.forEach(drop);
      drop("wait");
      drop("tries");
      if (taken) most = 50;
    } else if (refused) {
      // One of them is bad: one by one, it is found.
      most = 1;
    } else {
      const tries = +get("tries") || 0;
      const least = (+header || (Date.parse(header) - Date.now()) / 1e3 || 0) * 1e3 * (1 + Math.random() / 10);
      const backoff = Math.min(3e5, 1e3 * 2 ** tries) * (0.5 + Math.random() / 2);
      put("tries", Math.min(tries + 1, 9));
      put("wait", Date.now() + Math.min(36e5, Math.max(least, backoff)));
    }
  };
  const flush = async () => {
    if (busy || !allowed()) return;
    busy = true;
    let locked;
    const locking = async () => {
      locked = true;
      // What another tab has deleted takes a moment to be seen here. Timers of hidden tabs may take a minute.
      if (!d.hidden) await new Promise((settled) => setTimeout(settled, 100));
      await send();
    };
    try {
      await n.locks.request("scorer", locking);
    } catch (e) {
      // No locks here (plain http, a sandbox): two tabs may send the same event, which counts once.
      if (!locked) await send().catch(() => {});
    }
    busy = false;
    if (queue().length) later(waits());
  };
  const leave = () => {
    view();
    if (waits() || !allowed()) return;
    const rest = pack("keepalive" in Request.prototype ? sending : []);
    if (rest.length) n.sendBeacon(url, body(rest));
  };

  // -- the page ---------------------------------------------------------------------------------------

  const api = { page, identify, track, form, consent, reset };
  const call = (args) => {
    try {
      api[args[0]](...Array.from(args).slice(1));
    } catch (e) {
      console.warn("scorer: " + e.message);
    }
  };
  const begin = () => {
    const calls = Array.isArray(w.scorer) ? w.scorer : [];
    w.scorer = { push: (...all) => all.forEach(call) };
    Object.keys(api).forEach((name) => (w.scorer[name] = (...args) => call([name, ...args])));
    if (n.globalPrivacyControl) wipe();
    calls.forEach(call);
    // Once the title is there; the path once it is settled.
    const soon = () => setTimeout(view);
    if (d.readyState === "loading") d.addEventListener("DOMContentLoaded", view);
    else view();
    ["pushState", "replaceState"].forEach((name) => {
      const old = history[name];
      history[name] = function () {
        const result = old.apply(this, arguments);
        soon();
        return result;
      };
    });
    w.addEventListener("popstate", soon);
    w.addEventListener("hashchange", soon);
    w.addEventListener("pagehide", leave);
    w.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      seen = undefined;
      view();
      later(0);
    });
    w.addEventListener("online", flush);
    d.addEventListener("visibilitychange", flush);
    d.addEventListener(
      "submit",
      (event) => {
        const element = event.target;
        if (!("scorerForm" in element.dataset)) return;
        try {
          submitted(element);
        } catch (e) {}
      },
      true
    );
    if (queue().length) later(300);
  };
  // A page that is made ready before anybody asked for it is not viewed yet.
  if (d.prerendering) d.addEventListener("prerenderingchange", begin, { once: true });
  else begin();
})(window, document, navigator);
