import { expect, test } from "vitest";
import { portRefusal, Refusal } from "../../../scripts/local/refusal.ts";

const failing = (code: string): Error => Object.assign(new Error(code), { code });

test.for([
  ["EADDRINUSE", 7071, "Port 7071 is in use: choose another one, for example PORT=7072 npm start."],
  ["EADDRINUSE", 65_535, "Port 65535 is in use: choose another one, for example PORT=65534 npm start."],
  ["EACCES", 80, "Port 80 is not allowed to this user: choose another one, for example PORT=7071 npm start."],
] as const)("%s at port %d is a sentence that says what to do", ([code, port, said]) => {
  const refusal = portRefusal(failing(code), port);
  expect(refusal).toBeInstanceOf(Refusal);
  expect(refusal.message).toBe(said);
});

test("any other failure at a port stays as it is", () => {
  const error = failing("EADDRNOTAVAIL");
  expect(portRefusal(error, 7071)).toBe(error);
});
