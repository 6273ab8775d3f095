// The console in a browser: the whole way of a person, with and without scripts, by keyboard, and read by axe.
// Arguments: Chromium, the URL of the console, a token, a folder for pictures.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [, , executablePath, base, token, pictures] = process.argv;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const told = { violations: [], refusals: [], seen: [] };

/** Opens a context whose pages tell what their policy refuses and what goes wrong in them. */
async function open(options) {
  const context = await browser.newContext({ acceptDownloads: true, timezoneId: "Europe/Berlin", ...options });
  // A busy machine takes long to build an export.
  context.setDefaultTimeout(120_000);
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (400|401|410)/.test(message.text())) told.refusals.push(message.text());
  });
  page.on("pageerror", (error) => told.refusals.push(String(error)));
  page.on("request", (request) => {
    // A download leads to S3; a page asks nobody else for what it shows.
    if (!request.isNavigationRequest() && !request.url().startsWith(new URL(base).origin)) told.refusals.push(`asked ${request.url()}`);
  });
  return page;
}

/** Looks at a page: what axe finds, and a picture. */
async function look(page, name) {
  // The policy lets no page run other scripts, so the test's are run in a world of their own.
  const session = await page.context().newCDPSession(page);
  const { frameTree } = await session.send("Page.getFrameTree");
  const { executionContextId: contextId } =
    await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id, worldName: "axe" });
  const run = "axe.run(document).then((found) => JSON.stringify(found.violations.map((it) => [it.id, it.nodes[0].html])))";
  await session.send("Runtime.evaluate", { expression: axe, contextId });
  const { result } =
    await session.send("Runtime.evaluate", { expression: run, contextId, awaitPromise: true, returnByValue: true });
  for (const violation of JSON.parse(result.value)) told.violations.push([name, ...violation]);
  if (pictures) await page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
  told.seen.push(name);
}

/** Signs in, makes an export, watches, shares and downloads it. */
async function wholeWay(page, name, looks) {
  const seen = async (shown) => { if (looks) await look(page, shown); };
  await page.goto(base);
  await seen("sign-in");
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("link", { name: "New export" }).click();
  await seen("tables");
  await page.getByLabel("liferay_page").check();
  await page.getByRole("button", { name: "Go on" }).click();
  await page.getByLabel("From and to").check();
  await page.getByLabel("From", { exact: true }).fill("2026-03-01T00:00:00");
  await page.getByLabel("To", { exact: true }).fill("2026-03-01T01:00:00");
  await page.getByLabel("Time zone").fill("UTC");
  await page.getByLabel("Name, if").fill(name);
  if (looks) {
    await page.getByLabel("Filter, if").pressSequentially("titel == 'a'");
    await page.getByText("cannot be used").waitFor();
    await page.getByLabel("Filter, if").fill("");
    await page.getByLabel("Filter, if").pressSequentially(" ");
    await page.getByText("Without a filter").waitFor();
  }
  await page.getByRole("button", { name: "Show the first rows" }).click();
  await page.getByRole("heading", { name: "First rows of liferay_page" }).waitFor();
  told.shown = await page.getByRole("row").count();
  await seen("new");
  // Without scripts, the rows are a page of their own.
  if (!looks && !(await page.getByRole("button", { name: "Make the export" }).isVisible())) await page.goBack();
  await page.getByRole("button", { name: "Make the export" }).click();
  await page.getByRole("heading", { level: 1 }).waitFor();
  const download = page.getByRole("link", { name: "Download the ZIP" });
  while (!(await download.isVisible())) {
    if (looks) await download.waitFor();
    else await page.reload();
  }
  const [file] = await Promise.all([page.waitForEvent("download"), download.click()]);
  told[`${name}.zip`] = file.suggestedFilename();
  await page.getByLabel("Note, which").fill(name);
  await page.getByLabel("once only").check();
  await seen("export");
  await page.getByRole("button", { name: "Make a link" }).click();
  const link = await page.getByLabel("Link").inputValue();
  await seen("shared");
  await page.getByRole("link", { name: "Workspace" }).click();
  await seen("workspace");
  await page.getByRole("link", { name: "Audit trail" }).click();
  await seen("audit");
  await page.getByRole("link", { name: "Exports", exact: true }).click();
  await seen("exports");
  return link;
}

const hostile = `<img src=x onerror=alert(1)>"'&`;
const page = await open({ colorScheme: "light" });
const link = await wholeWay(page, "Pages of March", true);
told.local = await page.locator("time").first().textContent();
await page.getByRole("button", { name: "Sign out" }).click();
told.signedOut = await page.getByRole("heading", { level: 1 }).textContent();

// An export whose name would run in a page that does not escape it.
const named = await open({});
named.on("dialog", () => told.refusals.push("a name was run"));
await wholeWay(named, hostile, false);
await look(named, "hostile");

// Somebody else opens the link, which a click uses up.
const other = await open({ colorScheme: "dark", viewport: { width: 360, height: 640 } });
await other.goto(link);
await look(other, "link");
const [file] =
  await Promise.all([other.waitForEvent("download"), other.getByRole("button", { name: "Download" }).click()]);
told.linked = file.suggestedFilename();
await other.goto(link);
told.again = await other.getByRole("heading", { level: 1 }).textContent();
await look(other, "ended");

// Without scripts, and on a narrow screen.
const plain = await open({ javaScriptEnabled: false, viewport: { width: 360, height: 640 } });
await wholeWay(plain, "without scripts", false);

// By the keyboard alone: the first stop leads past the links, the token is typed, and Enter signs in.
const keys = await open({});
await keys.goto(base);
await keys.keyboard.press("Tab");
told.firstStop = await keys.evaluate(() => document.activeElement.textContent);
await keys.keyboard.press("Enter");
await keys.keyboard.press("Tab");
await keys.keyboard.type(token);
await keys.keyboard.press("Enter");
await keys.getByRole("navigation").waitFor();

await browser.close();
console.log(JSON.stringify(told));
