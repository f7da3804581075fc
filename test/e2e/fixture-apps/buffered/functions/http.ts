// The same library with HTTP streaming off: requests and answers go by value.

import { app, type HttpResponseInit } from "@azure/functions";

app.http("echo", {
  route: "echo/{name}",
  methods: ["GET", "POST"],
  handler: async (request) => ({
    status: 201,
    headers: { "x-answer": "yes" },
    cookies: [{ name: "c", value: "a b", path: "/", httpOnly: true, sameSite: "Lax" }],
    jsonBody: {
      url: request.url,
      params: request.params,
      body: await request.text(),
      header: request.headers.get("x-a"),
    },
  }),
});
app.http("throws", {
  methods: ["GET"],
  handler: () => {
    throw new Error("thrown by the fixture");
  },
});
app.http("nothing", { methods: ["GET"], handler: () => undefined as unknown as HttpResponseInit });
