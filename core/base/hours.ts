/** Hours of the day, `18:00-06:00` in local time, over midnight too. Pure. */

/** Minutes since midnight; the end is not within. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

export const HOURS_PATTERN = '^(|([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])$';

/** @param text as HOURS_PATTERN allows; empty: always */
export function readHours(text: string): Hours | undefined {
  const numbers = text.split(/[:-]/).map(Number);
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = numbers;
  if (numbers.length !== 4) return undefined;
  return { from: fromHour * 60 + fromMinute, to: toHour * 60 + toMinute };
}

/** Whether a minute of the day is within; without hours, or with equal ones, it always is. */
export function isWithin(hours: Hours | undefined, minute: number): boolean {
  if (hours === undefined || hours.from === hours.to) return true;
  const { from, to } = hours;
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}
