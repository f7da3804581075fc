// Answers of a language model, token by token, in a page that may be closed, reloaded, or opened on another device: the
// model writes to a stream, and pages read the stream.
//
// The server has the key of the app. The page has none: it reads by a signed link, and goes on where it stopped.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { DurableStream } from "@durable-streams/client";
import { StreamkitClient } from "streamkit-client";
import type { ReadLinkKey } from "streamkit-client";

export interface AnswersOptions {
  readonly url: string;
  readonly key: string;
  readonly storeId: string;
  readonly linkKey: ReadLinkKey;
  /** The tokens of the answer, as the model gives them. */
  readonly model: (question: string) => AsyncIterable<string>;
}

export function answersServer({ key, linkKey, model, storeId, url }: AnswersOptions): Server {
  const client = new StreamkitClient(url, { key }, { allowInsecureConnection: url.startsWith("http://127.0.0.1") });
  const answers = client.getStoreClient(storeId).getSpaceClient("answers");
  const streams = `${url}/v1/stores/${storeId}/spaces/answers/streams`;

  /** An append for what came while the one before was under way; the close says that no more comes. */
  async function write(id: string, question: string): Promise<void> {
    const headers = { "x-functions-key": key };
    const stream = await DurableStream.create({ url: `${streams}/${id}`, contentType: "text/plain", headers });
    const appends: Promise<void>[] = [];
    for await (const token of model(question)) appends.push(stream.append(token));
    await Promise.all(appends);
    await stream.close();
  }

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const [, , id] = pathname.split("/");
    const answer = async (): Promise<string> => {
      if (request.method === "POST") {
        const asked = randomUUID();
        write(asked, searchParams.get("question") ?? "").catch((error: unknown) => server.emit("error", error));
        return asked;
      }
      if (id === undefined) return page;
      return answers.getSegmentClient(id).createReadLink({ key: linkKey, form: "stream" });
    };
    answer().then(
      (text) => response.setHeader("content-type", text === page ? "text/html" : "text/plain").end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  return server;
}

const page = `<!doctype html>
<title>Answers</title>
<form><input name="question" aria-label="Question" value="What is a stream?" /><button>Ask</button></form>
<pre id="answer"></pre>
<script type="module">
  const shown = document.querySelector("#answer");

  // What was shown, and where to go on, stay with the tab.
  async function show(id) {
    const { text, offset, done } = JSON.parse(sessionStorage.getItem(id) ?? '{"text":"","offset":"-1"}');
    shown.textContent = text;
    if (done) return;
    const link = await (await fetch("/answers/" + id)).text();
    const source = new EventSource(link + "?live=sse&offset=" + offset);
    source.addEventListener("data", ({ data }) => shown.append(data));
    source.addEventListener("control", ({ data }) => {
      const { streamNextOffset, streamClosed: done } = JSON.parse(data);
      sessionStorage.setItem(id, JSON.stringify({ text: shown.textContent, offset: streamNextOffset, done }));
      if (done) source.close();
    });
    // The server ends a stream after some minutes, and the link after an hour: go on from the place, by a new one.
    source.addEventListener("error", () => { source.close(); setTimeout(() => show(id), 500); });
  }

  document.querySelector("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const question = encodeURIComponent(event.target.question.value);
    location.hash = await (await fetch("/answers?question=" + question, { method: "POST" })).text();
  });
  addEventListener("hashchange", () => show(location.hash.slice(1)));
  if (location.hash !== "") show(location.hash.slice(1));
</script>
`;
