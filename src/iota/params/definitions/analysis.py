"""Analysis of the results of a run."""

from __future__ import annotations

PHIL = """
analysis
  .help = Analysis of the results
  .short_caption = Analysis
{
  clustering
    .help = Clustering of unit cells, to separate crystal forms and misindexed images
    .short_caption = Clustering
  {
    flag_on = False
      .type = bool
      .help = Cluster the unit cells at the end of the run
      .short_caption = Cluster unit cells
      .expert_level = 0
    threshold = None
      .type = float(value_min=0)
      .help = Maximum distance of a cell from another cell of its cluster (A^2, NCDist of Andrews and Bernstein). \
              If None, clusters are found as density maxima, which resolves forms that differ by 1 %.
      .short_caption = Distance threshold
      .expert_level = 1
    n_images = None
      .type = int(value_min=1)
      .help = Number of randomly chosen images to be clustered. None is all images.
      .short_caption = Number of images
      .expert_level = 1
    limit = 5
      .type = int(value_min=1)
      .help = Clusters with fewer cells than this are not shown
      .short_caption = Minimum cluster size
      .expert_level = 1
    write_files = True
      .type = bool
      .help = For each cluster, write a list of its images, uc_cluster_N.lst, and a script for processing with its \
              unit cell and space group as the target, uc_cluster_N.phil
      .short_caption = Write cluster files
      .expert_level = 1
  }
  viz = *no_visualization integration cv_vectors
    .type = choice
    .help = Pictures of each integrated image, written to visualization/ during processing. integration shows the \
            predictions on the image, cv_vectors the shifts from predicted to observed spots.
    .short_caption = Image visualisation
    .expert_level = 0
  charts = False
    .type = bool
    .help = Plots of mosaicity for each integrated image (trumpet plots), written to visualization/
    .short_caption = Mosaicity plots
    .expert_level = 0
  summary_graphs = False
    .type = bool
    .help = Charts of the run, written to visualization/: resolution, unit cells, beam centre, drift and, after \
            a grid search, the heat map of spot-finding settings.
    .short_caption = Summary charts
    .expert_level = 0
}
"""
