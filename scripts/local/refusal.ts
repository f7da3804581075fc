// Why something does not start, when a sentence is all there is to say.

/** An end that is explained by its message alone: no stack is shown. */
export class Refusal extends Error {
  override readonly name: string = "Refusal";
}

/** What could not be had of a port, as a sentence that says what to do; any other error as it is. */
export function portRefusal(error: Error, port: number): Error {
  const other = port < 1024 ? 7071 : port < 65_535 ? port + 1 : port - 1;
  const advice = `choose another one, for example PORT=${other} npm start.`;
  switch ((error as NodeJS.ErrnoException).code) {
    case "EADDRINUSE":
      return new Refusal(`Port ${port} is in use: ${advice}`);
    case "EACCES":
      return new Refusal(`Port ${port} is not allowed to this user: ${advice}`);
    default:
      return error;
  }
}
