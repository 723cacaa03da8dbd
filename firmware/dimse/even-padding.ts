/** A deflated data set of odd length ends with a NUL (PS3.5 A.5); dcmtk aborts an association that sends it without. */
export async function* padToEven(data: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of data) {
    length += chunk.length;
    yield chunk;
  }
  if (length % 2 === 1) yield Uint8Array.of(0);
}
