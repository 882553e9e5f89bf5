/** Whether peers get anything from this node: a switch for admins, batteries and metered lines. */

export class Serving {
  on: boolean;

  constructor(on: boolean) {
    this.on = on;
  }
}

/** Whether peers get objects and flights, and how fast; all of them, at once, by default. */
export interface Giving {
  serving(): boolean;
  atPace(body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}
