/** A set-up step that cannot go on. The message is one line; `details` are the lines that help to put it right. */
export class SetupError extends Error {
  /**
   * @param {string} message what failed
   * @param {string[]} details the last lines of the tool's output, or what to install
   * @param {string} remedy what the person should do
   */
  constructor(message, details, remedy) {
    super(message);
    this.name = 'SetupError';
    this.details = details;
    this.remedy = remedy;
  }
}
