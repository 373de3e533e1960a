"""All that exists for the sake of upstream, PINTO0309's human-instance-segmentation: its files, names and commands.

Nothing else in this package depends on upstream. The rest of it imports from here at these points only:

* :mod:`hiseg_training.models.hierarchical` builds a model with upstream's UNet as its coarse stage
  (:mod:`~hiseg_training.compat.unet`);
* :mod:`hiseg_training.config.names` takes upstream's names of configurations (:mod:`~hiseg_training.compat.names`);
* :mod:`hiseg_training.export.onnx` exports a model with upstream's dilation (:mod:`~hiseg_training.compat.dilation`);
* :mod:`hiseg_training.cli` reads upstream's checkpoints (:mod:`~hiseg_training.compat.unet_weights`,
  :mod:`~hiseg_training.compat.foreground`), writes its other files (:mod:`~hiseg_training.compat.export_unet`,
  :mod:`~hiseg_training.compat.filters`) and takes its spelling of flags.
"""
