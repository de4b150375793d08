/* Words of Keras and PyTorch that Mica writes otherwise or does not have, and what a message says of each. */
#include "json/keys.h"

#include <string.h>

struct row {
    const char *words;   /* in lower case and without _, between blanks */
    const char *meant;   /* Mica's own word, proposed where it is valid */
    const char *says;    /* otherwise; NULL: which words there are */
};

#define OPTIMIZER "the optimizer has it: \"optimizer\": {\"type\": \"adam\", \"learning_rate\": 0.001}"
#define SCHEDULES "a rate that changes is an object: \"learning_rate\": {\"type\": \"cosine_decay\", \"decay_steps\": 1000}"
#define CALLBACKS "a job has no callbacks: it trains all of its \"epochs\" and saves the last"
#define INPUTS "Mica finds the number of inputs by itself: leave it out"
#define NO_SUCH "there is nothing like it here: leave it out"
#define HAVE_IT "the recurrent layers have it: \"lstm\", \"gru\" and \"simple_rnn\""
#define STATES "states to begin with are inputs behind the sequence: \"inputs\": [\"x\", \"h\", \"c\"]; without them they are zeros"
#define STACK "a layer is one: list several, of recurrent ones all but the last with \"return_sequences\": true"
#define BOTH_WAYS "both ways are a layer around one: {\"type\": \"bidirectional\", \"layer\": {\"type\": \"lstm\", \"units\": 8}}"
#define FEATURES "the input says how many features there are: leave it out"
#define PARTS "\"split\" divides the data, as in [0.8, 0.1, 0.1]: training, validation, test"

/* Of rows with one word the first whose own is valid counts, or that says something. */
static const struct row keys[] = {
    /* Jobs, optimizers and schedules. */
    {"lr learningrate initiallr baselr", "initial_learning_rate", NULL},
    {"lr learningrate", "learning_rate", OPTIMIZER},
    {"maxlr", "max_learning_rate", NULL},
    {"endlr etamin minlr", "end_learning_rate", NULL},
    {"etamin minlr", NULL, "\"alpha\" says which share of the first rate is left at the end"},
    {"tmax totaliters steps maxsteps", "decay_steps", NULL},
    {"totaliters steps maxsteps epochs stepsperepoch", "total_steps", NULL},
    {"t0 tmax", "first_decay_steps", NULL},
    {"step every", "step_size", NULL},
    {"gamma rate", "decay_rate", NULL},
    {"milestones", NULL, "\"boundaries\" and \"values\" are two lists"},
    {"alpha smoothing smoothingconstant", "rho", NULL},
    {"initialaccumulator", "initial_accumulator_value", NULL},
    {"l2 l2reg l2penalty wd", "weight_decay", NULL},
    {"momentum nesterov weightdecay beta1 beta2 rho useema emamomentum gradientaccumulationsteps", NULL, OPTIMIZER},
    {"betas", NULL, "\"beta_1\" and \"beta_2\" are two keys"},
    {"eps", "epsilon", NULL},
    {"gamma", "scale", NULL},
    {"decay schedule scheduler lrschedule lrscheduler learningrateschedule gamma lrdecay", NULL, SCHEDULES},
    {"clip clipnorm clipvalue globalclipnorm gradclip gradientclipping maxgradnorm", NULL,
     "the optimizer has \"clipvalue\", \"clipnorm\" and \"global_clipnorm\""},
    {"callbacks callback earlystopping patience checkpoint modelcheckpoint reducelronplateau tensorboard", NULL, CALLBACKS},
    {"validationdata valdata", NULL, "the data have a part \"validation\", or a \"split\""},
    {"validationsplit", NULL, "the job has it, beside \"data\"; here \"split\" divides the data"},
    {"testsplit testsize trainsize valsplit valsize", "split", PARTS},
    {"classweights", "class_weight", NULL},
    {"classweight", NULL, "the job has it, beside \"loss\""},
    {"sampleweight sampleweights", "sample_weight", "\"data\" has \"sample_weight\": the field that holds the weights"},
    {"verbose stepsperepoch workers numworkers dampening maximize foreach fused capturable differentiable", NULL,
     NO_SUCH},
    {"batch minibatch", "batch_size", NULL},
    {"nepochs numepochs maxepochs iterations maxiter", "epochs", NULL},
    {"optim solver", "optimizer", NULL},
    {"criterion lossfn lossfunction objective", "loss", NULL},
    {"fromlogits", NULL, "it goes with losses of probabilities, such as the cross-entropies"},
    {"network net architecture", "model", NULL},
    {"dataset", "data", NULL},
    {"randomstate randomseed", "seed", NULL},
    {"device", NULL, "the command has it: --device D"},
    {"out output save savepath outputpath", NULL, "the command has it: --out FILE"},
    {"mixedprecision dtypepolicy amp autocast fp16 bf16 half", "precision", NULL},
    /* Layers. */
    {"outfeatures hidden hiddensize neurons nodes outputsize", "units", NULL},
    {"outputdim", "units", NULL},
    {"units outchannels channels", "filters", NULL},
    {"units outfeatures", NULL, "the layers that have units are \"dense\" and the recurrent ones"},
    {"infeatures inchannels inputsize inputchannels numfeatures numchannels inputdim", NULL, INPUTS},
    {"kernel kernelshape filtersize windowsize kernelsize poolsize", "kernel_size", NULL},
    {"kernel window kernelsize windowsize size", "pool_size", NULL},
    {"size shape", "output_size", NULL},
    {"scalefactor factor", "size", NULL},
    {"mode", "interpolation", NULL},
    {"dilation dilations", "dilation_rate", NULL},
    {"pad pads", "padding", NULL},
    {"numgroups ngroups group", "groups", NULL},
    {"bias", "use_bias", NULL},
    {"act activationfn nonlinearity", "activation", NULL},
    {"dataformat", NULL, "images are channels first: channels, height, width"},
    {"p prob probability droprate dropoutrate", "rate", NULL},
    {"rate p prob probability droprate dropoutrate inputdropout", "dropout", NULL},
    {"dropout recurrentdropout", NULL, "dropout is a layer of its own: {\"type\": \"dropout\", \"rate\": 0.5}"},
    {"rate std sigma", "stddev", NULL},
    {"std stddev sigma", "rate", NULL},
    {"dim", "axis", NULL},
    {"dim axis", "axes", NULL},
    {"axis dim", NULL, "it has no axis to choose: channels are the first of a sample, and \"dense\" works on the last"},
    {"normalizedshape", NULL, "\"axis\" says over which axes it works; their sizes are found by themselves"},
    {"affine", NULL, "\"center\" and \"scale\" are its two keys"},
    {"maxtokens numclasses numcategories vocabsize", "num_tokens", NULL},
    {"maxtokens numbuckets buckets bins", "num_bins", NULL},
    {"boundaries edges", "bin_boundaries", NULL},
    {"numembeddings vocabsize vocabularysize maxtokens", "input_dim", NULL},
    {"embeddingdim", "output_dim", NULL},
    {"shape size newshape", "target_shape", NULL},
    {"perm permutation axes", "dims", NULL},
    {"repeats times count", "n", NULL},
    {"slope", "negative_slope", NULL},
    {"slope negativeslope", "alpha", NULL},
    {"value", "default_value", NULL},
    {"theta lambd lambda", "threshold", NULL},
    {"threshold", "theta", NULL},
    {"factor multiplier", "scale", NULL},
    {"divideby", NULL, "\"scale\" is what it multiplies by"},
    {"function formula expr fn lambda", "expression", NULL},
    {"inputshape batchinputshape batchshape", NULL, "the model has it: \"input_shape\" stands beside \"layers\""},
    {"trainable", NULL, "every layer is trained"},
    {"dtype datatype", NULL, "an \"input\" layer and a \"variable\" have a dtype; layers compute in float32"},
    /* Recurrent layers. */
    {"returnsequences returnsequence returnseq returnseqs sequences", "return_sequences", HAVE_IT},
    {"returnstate returnstates", "return_state", HAVE_IT},
    {"gobackwards gobackward backwards backward reverse reversed", "go_backwards", HAVE_IT},
    {"recurrentactivation inneractivation gateactivation", "recurrent_activation",
     "\"lstm\" and \"gru\" have gates, and so they have it"},
    {"recurrentinit innerinit recurrentinitializer", "recurrent_initializer", NULL},
    {"unitforgetbias forgetbias forgetbiasinit", "unit_forget_bias", "\"lstm\" has it"},
    {"resetafter", NULL, "\"gru\" has it"},
    {"unroll implementation usecudnn", NULL, NO_SUCH},
    {"stateful", "stateful", HAVE_IT},
    {"initialstate initialstates state states hx h0 c0", NULL, STATES},
    {"batchfirst timemajor", NULL, "the batch comes first, then the steps: leave it out"},
    {"padtoken padidx paddingindex padtokenid", "padding_idx", NULL},
    {"weightsof tieweights tied sharedweights", "tied_to", "a \"dense\" has it: \"tied_to\": the name of an embedding"},
    {"maskzero paddingidx padtoken padidx", "mask_zero", "an \"embedding\" has it: steps of number 0 are padding"},
    {"maskvalue paddingvalue padvalue", "mask_value", "a \"masking\" layer before has it"},
    {"mask zerooutputformask supportsmasking", "mask_value", "a \"masking\" layer before says which steps are padding"},
    {"timesteps inputlength seqlen sequencelength", NULL, "the input says how many steps there are: leave it out"},
    {"numlayers nlayers", NULL, STACK},
    {"bidirectional", NULL, BOTH_WAYS},
    {"mergemode merge", "merge_mode", "\"bidirectional\" has it"},
    {"backwardlayer", NULL, "both ways have the keys of \"layer\", and parameters of their own"},
    {"projsize", NULL, "h has as many elements as there are units; a \"dense\" layer behind it makes fewer"},
    {"cell celltype rnntype", NULL, "the cell is the layer's type: \"lstm\", \"gru\" or \"simple_rnn\"; \"rnn\" has others"},
    /* Attention. */
    {"nhead nheads heads numattentionheads numqueryheads", "num_heads", NULL},
    {"nhead nheads heads numattentionheads numheads", "num_query_heads", NULL},
    {"kvheads nkvheads numkvheads keyvalueheads numgroups", "num_key_value_heads", NULL},
    {"headdim headsize keysize dk", "key_dim", NULL},
    {"keydim headsize", "head_dim", NULL},
    {"valuesize dv", "value_dim", NULL},
    {"embeddim dmodel modeldim hiddendim", "output_dim", FEATURES},
    {"kdim vdim", NULL, FEATURES},
    {"dimfeedforward feedforwarddim ffdim ffndim dff mlpdim intermediatesize", "intermediate_dim", NULL},
    {"normfirst prenorm", "normalize_first", NULL},
    {"layernormeps epsilon eps", "layer_norm_epsilon", NULL},
    {"iscausal causal causalmask usecausalmask", "use_causal_mask",
     "attention has it, and \"transformer_decoder\" hides later steps of its first input by itself"},
    {"attnmask attentionmask srcmask tgtmask paddingmask keypaddingmask srckeypaddingmask", NULL,
     "\"masking\", or \"mask_zero\" of \"embedding\", says which steps are padding; \"use_causal_mask\" hides later ones"},
    {"attndropout attentiondropout dropoutp", "dropout", NULL},
    {"addbiaskv addzeroattn needweights flashattention attentionaxes", NULL, NO_SUCH},
    {"base ropetheta theta wavelength", "max_wavelength", NULL},
    {"maxlen maxlength maxseqlen maxpositionembeddings numpositions numembeddings", "sequence_length", NULL},
    /* Initializers, regularizers and constraints. */
    {"weightinitializer kernelinit weightinit init initializer", "kernel_initializer", NULL},
    {"biasinit", "bias_initializer", NULL},
    {"weightregularizer regularizer l1 l2", "kernel_regularizer", NULL},
    {"weightconstraint constraint maxnorm", "kernel_constraint", NULL},
    {"value max c maxnorm", "max_value", NULL},
    {"min", "min_value", NULL},
    {"a low min", "minval", NULL},
    {"b high max", "maxval", NULL},
    {"scale", "gain", NULL},
    {"lambda l", "l2", NULL},
    {"lambda l", "l1", NULL},
    /* Data. */
    {"sep delimiter separator", NULL, "what stands between cells is found by itself"},
    {"target targetcolumn labelcolumn y labels", "label", NULL},
    {"y targets", "labels", NULL},
    {"x features", "inputs", NULL},
    {"file filename csv source url", "path", NULL},
    {"usecols features", "columns", NULL},
    {"hasheader", "header", NULL},
    {"navalues fillna missingvalues", "missing", NULL},
    {"onehot categories", "categorical", NULL},
    {"standardize normalization scale scaler", "normalize", NULL},
    {"normalizelabels normalizelabel normalizetarget", NULL, "labels are taken as they are; \"normalize\" is for inputs"},
    {"augmentation augment transforms", NULL, "Mica changes no images while it trains"},
};

#define CROSSENTROPIES "classes are learnt with sparse_categorical_crossentropy, one-hot rows with categorical_crossentropy, " \
    "yes or no with binary_crossentropy"

static const struct row values[] = {
    {"rnn simplernn rnncell simplernncell elman vanillarnn", "simple_rnn", NULL},
    {"rnn simplernn rnncell simplernncell elman vanillarnn", "simple_rnn_cell", NULL},
    {"lstm lstmcell cudnnlstm", "lstm", NULL},
    {"lstm lstmcell", "lstm_cell", NULL},
    {"gru grucell cudnngru", "gru", NULL},
    {"gru grucell", "gru_cell", NULL},
    {"bilstm bigru birnn", NULL, BOTH_WAYS},
    {"convlstm1d", "conv_lstm1d", NULL},
    {"convlstm convlstmcell convlstm2d", "conv_lstm2d", NULL},
    {"convlstm3d", "conv_lstm3d", NULL},
    {"stackedrnncells", NULL, "\"rnn\" takes a list of cells: \"cell\": [{\"type\": \"lstm_cell\", \"units\": 8}, ...]"},
    {"multiheadattention multiheadselfattention selfattention mha", "multi_head_attention", NULL},
    {"scaleddotproductattention dotproductattention dotattention luongattention", "attention", NULL},
    {"bahdanauattention bahdanau", "additive_attention", NULL},
    {"groupqueryattention groupedqueryattention gqa multiqueryattention mqa", "grouped_query_attention", NULL},
    {"transformer transformerencoder transformerencoderlayer transformerblock encoderlayer", "transformer_encoder", NULL},
    {"transformerdecoder transformerdecoderlayer decoderlayer", "transformer_decoder", NULL},
    {"positionalembedding learnedpositionalembedding", "position_embedding", NULL},
    {"positionalencoding sinepositionalencoding sinusoidalencoding sinusoidalpositionalencoding", "sine_position_encoding", NULL},
    {"rope rotary rotarypositionalembedding rotarypositionalembeddings", "rotary_embedding", NULL},
    {"reversibleembedding tiedembedding", NULL, "that is an \"embedding\", and later a \"dense\" with \"tied_to\": its name"},
    {"tokenandpositionembedding", NULL, "that is an \"embedding\" and a \"position_embedding\", joined by \"add\""},
    {"alibi", NULL, "it is a key of \"multi_head_attention\" and the blocks: \"alibi\": true"},
    {"convtranspose2d deconv deconvolution convolution2dtranspose", "conv2d_transpose", NULL},
    {"convtranspose1d", "conv1d_transpose", NULL},
    {"convtranspose3d", "conv3d_transpose", NULL},
    {"depthwise depthwiseconv dwconv", "depthwise_conv2d", NULL},
    {"separable separableconv", "separable_conv2d", NULL},
    {"upsample upsampling", "up_sampling2d", NULL},
    {"zeropad1d", "zero_padding1d", NULL},
    {"zeropad2d zeropadding constantpad2d", "zero_padding2d", NULL},
    {"zeropad3d", "zero_padding3d", NULL},
    {"crop cropping centercrop", "cropping2d", NULL},
    {"layernorm", "layer_normalization", NULL},
    {"rmsnorm", "rms_normalization", NULL},
    {"groupnorm", "group_normalization", NULL},
    {"spectralnorm", "spectral_normalization", NULL},
    {"weightnorm", "weight_normalization", NULL},
    {"instancenorm instancenorm1d instancenorm2d instancenorm3d", "instance_normalization", NULL},
    {"batchnorm batchnorm1d batchnorm2d batchnorm3d bn", "batch_normalization", NULL},
    {"linear fc fullyconnected affine lineal", "dense", NULL},
    {"conv convolution convolution2d", "conv2d", NULL},
    {"maxpool maxpool2d maxpooling pooling pool", "max_pooling2d", NULL},
    {"maxpool1d", "max_pooling1d", NULL},
    {"maxpool3d", "max_pooling3d", NULL},
    {"avgpool avgpool2d averagepooling meanpool", "average_pooling2d", NULL},
    {"avgpool1d", "average_pooling1d", NULL},
    {"avgpool3d", "average_pooling3d", NULL},
    {"gap globalavgpool globalavgpool2d", "global_average_pooling", NULL},
    {"globalmaxpool globalmaxpool2d", "global_max_pooling", NULL},
    {"adaptiveavgpool1d", "adaptive_average_pooling1d", NULL},
    {"adaptiveavgpool2d", "adaptive_average_pooling2d", NULL},
    {"adaptiveavgpool3d", "adaptive_average_pooling3d", NULL},
    {"adaptivemaxpool1d", "adaptive_max_pooling1d", NULL},
    {"adaptivemaxpool2d", "adaptive_max_pooling2d", NULL},
    {"adaptivemaxpool3d", "adaptive_max_pooling3d", NULL},
    {"dropout1d", "spatial_dropout1d", NULL},
    {"dropout2d", "spatial_dropout2d", NULL},
    {"dropout3d", "spatial_dropout3d", NULL},
    {"concat cat merge", "concatenate", NULL},
    {"residual skip", "add", NULL},
    {"lambda sequential functional", NULL, "a model is its list of layers, and each of them has a type"},
    {"rrelu", "leaky_relu", NULL},
    {"softshrink", "soft_shrink", NULL},
    {"hardshrink", "hard_shrink", NULL},
    {"tanhshrink", "tanh_shrink", NULL},
    {"logsigmoid", "log_sigmoid", NULL},
    {"hardtanh", "hard_tanh", NULL},
    {"geglu swiglu softmin", NULL, NULL},
    {"swish", "silu", NULL},
    {"logistic", "sigmoid", NULL},
    {"identity none", "linear", NULL},
    {"mseloss l2 l2loss squarederror rmse", "mean_squared_error", NULL},
    {"l1 l1loss absoluteerror", "mean_absolute_error", NULL},
    {"huberloss smoothl1loss smoothl1", "huber", NULL},
    {"poissonnllloss", "poisson", NULL},
    {"kldivloss kld kldiv kullbackleibler kullbackleiblerdivergence", "kl_divergence", NULL},
    {"focal focalloss sigmoidfocalloss", "binary_focal_crossentropy", NULL},
    {"hingeloss hingeembeddingloss softmarginloss svm", "hinge", NULL},
    {"multimarginloss", "categorical_hinge", NULL},
    {"diceloss", "dice", NULL},
    {"tverskyloss", "tversky", NULL},
    {"cosine cosineembeddingloss", "cosine_similarity", NULL},
    {"steplr step", "step_decay", NULL},
    {"multisteplr multistep piecewiseconstant", "piecewise_constant_decay", NULL},
    {"exponentiallr exponential", "exponential_decay", NULL},
    {"inversetime", "inverse_time_decay", NULL},
    {"polynomiallr polynomial linearlr linear", "polynomial_decay", NULL},
    {"cosineannealinglr cosineannealing cosine", "cosine_decay", NULL},
    {"cosineannealingwarmrestarts sgdr", "cosine_decay_restarts", NULL},
    {"onecyclelr", "one_cycle", NULL},
    {"reducelronplateau", NULL, "a rate follows the number of updates alone"},
    {"tripletmarginloss triplet tripletloss", "triplet_margin", NULL},
    {"infonce ntxent clip contrastive", "info_nce", NULL},
    {"bce bceloss bcewithlogitsloss bcewithlogits logloss", "binary_crossentropy", NULL},
    {"crossentropy crossentropyloss softmaxcrossentropy", NULL, CROSSENTROPIES},
    {"nll nllloss negativeloglikelihood", "sparse_categorical_crossentropy", NULL},
    {"zscore standardize standardization standardscaler", "standard", NULL},
    {"minmaxscaler rescale", "min_max", NULL},
    {"radam lbfgs", NULL, NULL},
    {"momentum nesterov", NULL, "sgd takes \"momentum\" and \"nesterov\""},
    {"sparsecategoricalaccuracy categoricalaccuracy binaryaccuracy", "accuracy", NULL},
    {"xavier xavieruniform glorot", "glorot_uniform", NULL},
    {"xaviernormal", "glorot_normal", NULL},
    {"kaiming kaiminguniform he", "he_uniform", NULL},
    {"kaimingnormal", "he_normal", NULL},
    {"normal", "random_normal", NULL},
    {"truncnormal", "truncated_normal", NULL},
    {"lecun", "lecun_uniform", NULL},
    {"eye", "identity", NULL},
    {"uniform", "random_uniform", NULL},
};

enum { LONGEST_WORD = 63 };

/* "nn.MaxPool2d" and "max_pool_2d" are "maxpool2d". */
static bool plain(const char *word, char out[LONGEST_WORD + 1])
{
    size_t length = 0;
    for (; *word && length < LONGEST_WORD; word++)
        if (*word == '.')
            length = 0;
        else if (*word != '_' && *word != '-' && *word != ' ')
            out[length++] = mi_to_lower(*word);
    out[length] = 0;
    return length > 0 && !*word;
}

static bool is_among(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; (at = strstr(at, word)) != NULL; at += length)
        if ((at == words || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0))
            return true;
    return false;
}

static bool is_valid(const char *const *words, const char *word)
{
    while (*words && strcmp(*words, word))
        words++;
    return *words != NULL;
}

/* The one of `words` that differs in signs between its parts alone; NULL: none. A capital is a word of another library. */
static const char *same_but_signs(const char *const *words, const char *word, const char *mine)
{
    char other[LONGEST_WORD + 1];
    if (word[strcspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ.")])
        return NULL;
    for (; *words; words++)
        if (plain(*words, other) && strcmp(other, mine) == 0)
            return *words;
    return NULL;
}

struct mi_advice mi_advise_term(bool key, const char *word, const char *const *words)
{
    const struct row *rows = key ? keys : values;
    const size_t count = key ? MI_COUNT(keys) : MI_COUNT(values);
    struct mi_advice out;
    char mine[LONGEST_WORD + 1];
    bool short_enough = plain(word, mine);
    const char *same = short_enough ? same_but_signs(words, word, mine) : NULL;
    if (same) {
        mi_format(out.text, sizeof out.text, "; did you mean \"%s\"?", same);
        return out;
    }
    for (size_t i = 0; short_enough && i < count; i++) {
        if (!is_among(rows[i].words, mine))
            continue;
        if (rows[i].meant && is_valid(words, rows[i].meant))
            mi_format(out.text, sizeof out.text, "; did you mean \"%s\"?", rows[i].meant);
        else if (rows[i].says && !strcmp(rows[i].says, OPTIMIZER) && is_valid(words, "learning_rate"))
            continue; /* it is the optimizer that is read */
        else if (rows[i].says)
            mi_format(out.text, sizeof out.text, "; %s", rows[i].says);
        else if (rows[i].meant)
            continue;
        else
            return mi_list(words);
        return out;
    }
    const char *dot = strrchr(word, '.');
    return mi_advise(dot && dot[1] ? dot + 1 : word, words);
}
