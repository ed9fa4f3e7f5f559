export { walk } from './walk';
