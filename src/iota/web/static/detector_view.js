// The detector image as an element of the page.

import { Detector } from "iota-image/detector.js";

export default {
  template: "<div></div>",
  props: { place: Object, query: Object },
  async mounted() {
    await this.$nextTick(); // window.path_prefix is set by then
    this.detector = new Detector(this.$el, {
      place: this.place,
      query: this.query,
      emit: (name, value) => this.$emit(name, value),
    });
    this.$el.detector = this.detector;
  },
  methods: {
    load_mask(path) {
      this.detector.mask.load(path);
    },
  },
};
