/** How long a fault lasts: a moment in `npm test`, a minute in `npm run test:surroundings`. */
export const faultSeconds = (moment: number): number => Number(process.env['SURROUNDINGS_SECONDS'] ?? moment);

export const isLongForm = process.env['SURROUNDINGS_SECONDS'] !== undefined;
