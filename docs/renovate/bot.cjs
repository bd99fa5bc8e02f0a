// The bot's own configuration. It is started in a checkout of the project: it asks what is outdated
// there, serves the answer to the preset, and has what follows from each move in the merge request.
const { spawnSync } = require("node:child_process");
const { createServer } = require("node:http");
const { resolve } = require("node:path");

const PORT = 8765; // the preset's

// What rvbuild reads, without what signs or publishes.
const VARIABLES = new RegExp(`^(${[
  "RVBUILD_(?!SIGNING_KEY$).*",
  "GO(ENV|PROXY|NOPROXY|PRIVATE|SUMDB|NOSUMDB)",
  "PIP_(CONFIG_FILE|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|PROXY|CERT)",
  "UV_(CONFIG_FILE|INDEX|INDEX_URL|DEFAULT_INDEX|EXTRA_INDEX_URL|INDEX_STRATEGY|FIND_LINKS|NO_INDEX)",
  "CARGO_(HOME|HTTP_PROXY|HTTP_CAINFO|REGISTRIES_[A-Z0-9_]+_INDEX)",
].join("|")})$`);

const store = process.env.RVBUILD_STORE ?? resolve("cache");

function rvbuild(...words) {
  const env = { ...process.env, RVBUILD_STORE: store };
  const stdio = ["ignore", "pipe", "inherit"];
  return spawnSync("rvbuild", [...words, "-q"], { encoding: "utf8", env, stdio, maxBuffer: 2 ** 28 }).stdout;
}

// Renovate hides all but a few variables from the commands that it runs.
function variables() {
  const shown = Object.keys(process.env).filter((name) => VARIABLES.test(name));
  return { ...Object.fromEntries(shown.map((name) => [name, process.env[name]])), RVBUILD_STORE: store };
}

// Renovate shows the error of a move that fails: here it has no text.
function rule({ name, allowed }) {
  const text = rvbuild("update", name, `--to=${allowed.version}`, "--dry-run", "--markdown");
  return { matchDepNames: [name], prBodyNotes: text ? [plain(text)] : [] };
}

// A note is a template of Renovate's, and what upstream says is none.
function plain(text) {
  return text.replace(/\{(?=\{)/g, "{ ");
}

const answer = rvbuild("outdated", "--json");
const rows = JSON.parse(answer).pins.filter(({ state }) => state === "may-be-moved");
createServer((_, response) => response.end(answer)).listen(PORT, "127.0.0.1").unref();

module.exports = {
  allowedCommands: [
    "^git checkout -- recipes/[\\w.+-]+/recipe\\.yaml$",
    "^rvbuild update [\\w./@+-]+ --to=[\\w.:~+-]+$",
  ],
  customEnvVariables: variables(),
  hostRules: [{ matchHost: "127.0.0.1", allowInternal: true }],
  packageRules: rows.map(rule),
};
