/** Why a data set cannot be transcoded: its form, its size, or what a codec says. Never patient data. */
export class TranscodingRefusal extends Error {
  override readonly name = 'TranscodingRefusal';
}
