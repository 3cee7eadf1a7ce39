"""Updates of a trained model: new interactions, users and items, removal, alignment with the vectors before."""
