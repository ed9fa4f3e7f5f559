export { run, serve } from './walk';
